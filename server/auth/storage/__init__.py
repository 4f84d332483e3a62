"""Accounts, sessions and codes in PostgreSQL."""
