"""Makes a person unknown in every table, content and file that is kept"""
