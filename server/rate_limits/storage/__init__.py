"""Rate-limit buckets in PostgreSQL."""
