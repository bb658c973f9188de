"""PostgreSQL for asyncio code, RQ's queues in Valkey, and the mail log."""
