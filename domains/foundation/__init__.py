"""What all apps stand on. It has no rows, and knows nothing of mail flows."""
