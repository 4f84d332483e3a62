"""Renders emails and parses them as their readers do: texts, dates, envelopes, pictures."""
