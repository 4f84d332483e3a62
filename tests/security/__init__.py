"""Proves the security controls by attacking a running instance."""
