"""What the commands, jobs and pages of every app need and has rows: audit log, isolation, key
checks.
"""
