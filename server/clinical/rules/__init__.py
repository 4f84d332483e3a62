"""Rules of patients and prescriptions: plain functions over values."""
