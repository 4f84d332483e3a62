"""Tests use cases on a real database, one rolled-back transaction a test."""
