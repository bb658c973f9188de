"""The key ring, how keys are told from one another without showing them, and signed tokens."""
