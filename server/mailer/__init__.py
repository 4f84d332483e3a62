"""Sends the outbox's emails."""
