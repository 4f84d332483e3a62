"""The email queue, as admins watch and mend it."""
