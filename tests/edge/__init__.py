"""Tests Envoy in front of a toy server: envelope, enum words, files, refusals, draining."""
