"""What happens before and after every call."""
