"""How much a process takes on at a time: memory, sockets, look-ups, and what it has in transit."""
