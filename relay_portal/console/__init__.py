"""What `./ekiden` says and does for a person at a terminal."""
