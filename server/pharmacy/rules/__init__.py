"""Rules of claims and dispensing: pure functions over values."""
