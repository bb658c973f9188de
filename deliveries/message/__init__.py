"""The message itself: header fields, ids, priorities, compression, signatures."""
