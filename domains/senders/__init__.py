"""Who may send: domains with their DNS records and keys, and credentials."""
