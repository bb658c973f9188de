"""DNS: one question, the servers that are asked, and typed answers."""
