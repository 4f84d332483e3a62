"""Calls every method over gRPC and REST: access matrix, states, races, bad values."""
