"""Use cases of pharmacies; each runs in one transaction."""
