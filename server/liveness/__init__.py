"""Watches that background work runs, in any process."""
