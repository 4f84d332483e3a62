"""Reading the audit log, for admins and patients."""
