"""Rules of accounts, passwords and codes: plain functions over values."""
