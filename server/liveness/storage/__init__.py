"""What background work has reported, in PostgreSQL."""
