"""What surrounds every call: one decision a file."""
