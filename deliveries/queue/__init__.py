"""The rows of waiting mail: leases, claims, the ledger, wake-ups, deadlines."""
