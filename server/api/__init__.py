"""The gRPC API: servicers, message mapping, interceptors, errors, health and listening addresses."""
