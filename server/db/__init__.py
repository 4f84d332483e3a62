"""The database: metadata, engine, transactions, and the embedded PostgreSQL that `medconnect up` starts."""
