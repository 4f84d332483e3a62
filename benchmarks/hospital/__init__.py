"""A generated hospital of any size: the same size, seed and day always give the same rows."""
