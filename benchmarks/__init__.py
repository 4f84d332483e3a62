"""Measurements of the server, each against floors that run beside it: `python -m benchmarks`."""
