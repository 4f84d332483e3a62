"""Domain events: recorded with their changes, and ordered in a feed."""
