"""Messages of the audit log."""
