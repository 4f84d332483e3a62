"""Append-only audit log: records commit with the action they describe and are sealed into a hash chain."""
