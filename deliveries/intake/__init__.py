"""From the edge to `250`: complete a message, sign it, and commit it in groups."""
