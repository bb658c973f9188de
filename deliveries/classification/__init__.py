"""What an answer means: codes, phrases, dialects, and the rules that people add."""
