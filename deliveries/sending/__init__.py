"""From a leased lane to an outcome: the drain, an agent for each lane, and its connections."""
