"""EventsService."""
