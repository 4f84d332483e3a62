"""Kills, cuts and delays what emails pass on their way."""
