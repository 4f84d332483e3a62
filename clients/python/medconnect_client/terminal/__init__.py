"""The `medconnect-pharmacy` command."""
