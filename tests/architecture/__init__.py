"""Checks the code against its own conventions: layers, wording, commits, protos, security controls."""
