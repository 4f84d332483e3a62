"""Administration of the email queue: watching, listing, retrying and clearing."""
