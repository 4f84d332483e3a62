"""Transactional outbox: emails are stored in the transaction of the change that they report."""
