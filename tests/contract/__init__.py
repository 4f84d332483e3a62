"""Verifies the REST workflow response by response, with exact JSON."""
