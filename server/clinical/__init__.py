"""Clinical slice: patients, visits, prescriptions and their QR codes."""
