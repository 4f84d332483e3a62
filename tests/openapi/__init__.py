"""Sends every documented example, and calls each operation with Schemathesis."""
