"""Queries over the email queue."""
