"""Proves the Python client and the pharmacist's terminal, under faults too."""
