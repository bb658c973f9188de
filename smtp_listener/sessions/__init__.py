"""A client's session and its transactions, and the server that holds them."""
