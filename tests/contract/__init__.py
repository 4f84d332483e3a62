"""Walks the REST workflow answer by answer, with exact JSON."""
