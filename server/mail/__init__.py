"""Mails: the outbox they wait in, and the worker that sends them."""
