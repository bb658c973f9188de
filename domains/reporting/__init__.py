"""What receivers report of mail that bears a domain: their files unpacked, read, kept, added up."""
