"""The schema as a whole: migrations, and what is purged."""
