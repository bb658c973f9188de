"""Who may come in and what is taken: accounts, limits, policy, room."""
