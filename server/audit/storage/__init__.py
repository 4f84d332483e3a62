"""The audit log in PostgreSQL: records and seals."""
