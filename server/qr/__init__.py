"""QR codes: the encrypted text that a pharmacy scans, and its picture."""
