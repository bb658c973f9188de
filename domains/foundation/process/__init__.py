"""What a process owes to its surroundings: systemd, the log's format, PostgreSQL's session."""
