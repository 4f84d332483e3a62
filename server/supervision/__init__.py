"""Keeps the processes that an instance consists of alive, and has them end with it."""
