"""Settings from the environment, the service's secrets, and its TLS files."""
