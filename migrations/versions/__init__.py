"""The revisions, one per file, in order."""
