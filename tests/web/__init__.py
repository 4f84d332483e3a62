"""Tests the page as its users see it, in a headless Chromium."""
