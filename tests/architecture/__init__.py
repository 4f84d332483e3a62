"""Holds the code to its own conventions: layers, wording, commits, protos, security controls."""
