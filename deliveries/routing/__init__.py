"""From a recipient's domain to the site that takes its mail, and what its hosts did lately."""
