"""Verifies the Python client and the pharmacist's terminal, also under faults."""
