"""What receivers make of our authentication: their DMARC reports, and what they refuse for it."""
