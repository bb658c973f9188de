"""What people hand in by a page or a command, with every check that an app's mail has."""
