"""Programs that talk to MedConnect."""
