"""Use cases of patients, visits and prescriptions; each runs in one transaction."""
