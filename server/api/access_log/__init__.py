"""The messages of the audit log and the patients' access log."""
