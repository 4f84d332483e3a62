"""Reports of background work in PostgreSQL."""
