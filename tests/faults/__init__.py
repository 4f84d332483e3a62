"""Kills processes, cuts connections and delays replies while emails are delivered."""
