"""The email queue in PostgreSQL, as workers share it."""
