"""The PostgreSQL that `medconnect up` starts for itself."""
