"""The email queue in PostgreSQL, shared by all workers."""
