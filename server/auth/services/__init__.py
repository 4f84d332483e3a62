"""Use cases of accounts and sessions: one transaction each."""
