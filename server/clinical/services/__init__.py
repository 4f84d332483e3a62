"""Use cases of patients, visits and prescriptions: one transaction each."""
