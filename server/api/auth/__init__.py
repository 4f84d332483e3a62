"""The gRPC side of AuthService."""
