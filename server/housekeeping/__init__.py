"""What nobody needs any more is deleted."""
