"""PostgreSQL and Valkey from wheels, and the wait for either."""
