"""Tests what operators install: alert rules against played incidents, and the dashboard."""
