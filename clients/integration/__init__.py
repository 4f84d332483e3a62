"""What a hospital system needs that does without the client."""
