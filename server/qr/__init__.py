"""QR codes: the sealed text a pharmacy scans, and its picture."""
