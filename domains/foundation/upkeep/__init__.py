"""Leases and turns of long jobs, and how long rows and keys are kept."""
