"""Everything that knows gRPC."""
