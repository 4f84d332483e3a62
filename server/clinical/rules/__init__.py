"""Rules of patients and prescriptions, without storage."""
