"""Tests access options, statuses, mappings and field paths of the API, without a server."""
