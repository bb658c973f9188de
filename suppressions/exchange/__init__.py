"""Files of suppressions: read from any service's export, written as CSV."""
