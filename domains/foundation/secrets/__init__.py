"""The key ring, and how keys are told from one another without showing them."""
