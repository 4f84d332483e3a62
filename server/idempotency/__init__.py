"""Writes that are repeated with their key are executed once."""
