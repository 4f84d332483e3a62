"""Patients, visits, prescriptions and QR codes in PostgreSQL."""
