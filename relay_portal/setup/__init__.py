"""What makes an installation: its environment, its keys, and its first run."""
