"""The portal's pages that are not about rows of one model, and their frame."""
