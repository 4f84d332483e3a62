"""Idempotency keys: a write that is repeated with its key is executed once."""
