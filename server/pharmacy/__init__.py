"""What pharmacists do with prescriptions: scans, claims, dispensing, the log."""
