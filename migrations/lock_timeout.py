"""The time limit of migrations for locks."""

LOCK_TIMEOUT = "SET lock_timeout = '2s'"
"""A migration that waits longer for a lock fails, because all later statements on the table queue behind it."""
