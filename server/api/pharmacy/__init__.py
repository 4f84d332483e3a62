"""PharmacyService."""
