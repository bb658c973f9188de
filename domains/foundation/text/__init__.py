"""Text that strangers write: characters, charsets, addresses, mailboxes."""
