"""The database: metadata, engine, and the embedded PostgreSQL that `up` starts."""
