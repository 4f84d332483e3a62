"""Emails to send, stored in the transaction of the change that they tell of."""
