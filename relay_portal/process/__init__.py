"""The processes of an installation: their table, their supervision, their ports."""
