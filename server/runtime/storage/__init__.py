"""The schema as a whole: migrations and purges."""
