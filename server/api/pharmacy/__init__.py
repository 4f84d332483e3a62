"""The gRPC side of PharmacyService."""
