"""Use cases of pharmacies: one transaction each."""
