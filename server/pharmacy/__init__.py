"""Pharmacy slice: scans, claims, dispensing and the prescription log."""
