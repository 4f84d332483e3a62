"""Use cases of accounts and sessions, each in one transaction."""
