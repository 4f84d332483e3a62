"""Rules of claims and dispenses: plain functions over values."""
