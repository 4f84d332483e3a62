"""Access log slice: admins and patients read the audit log."""
