"""Who did what to whose record: written together with what it tells of, sealed into a chain, never changed."""
