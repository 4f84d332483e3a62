"""The MedConnect server: four gRPC services on PostgreSQL, their mail worker and their REST edge."""
