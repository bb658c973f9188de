"""SMTP as a client speaks it, and the outcome of each stage."""
