"""Accounts, sessions, passwords and tokens."""
