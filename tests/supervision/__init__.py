"""Starts real child processes and ends them, to test their restarts."""
