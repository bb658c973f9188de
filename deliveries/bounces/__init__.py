"""What comes back: its MIME parts, reports, matching, consequences; and the reports that we
send.
"""
