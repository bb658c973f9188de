"""The only way into the queue: adds headers, signs, and commits messages in groups."""
