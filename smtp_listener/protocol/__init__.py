"""SMTP as a server speaks it: commands, replies, content, TLS."""
