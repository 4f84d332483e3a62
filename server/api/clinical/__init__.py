"""ClinicalService."""
