"""Programs that call MedConnect."""
