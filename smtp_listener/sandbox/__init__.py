"""The sandbox MX: a server that keeps what it takes and plays receivers."""
