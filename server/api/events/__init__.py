"""The gRPC side of EventsService."""
