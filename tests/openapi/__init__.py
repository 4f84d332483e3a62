"""Plays every documented example and lets Schemathesis call each operation."""
