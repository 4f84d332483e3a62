"""Scans, dispenses and the prescription log in PostgreSQL."""
