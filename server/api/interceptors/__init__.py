"""The interceptors of every call; each file makes one decision."""
