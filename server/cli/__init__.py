"""The `medconnect` command."""
