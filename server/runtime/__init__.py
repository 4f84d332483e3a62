"""Builds the service out of its parts and runs it."""
