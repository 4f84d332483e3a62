"""Background work on prescriptions."""
