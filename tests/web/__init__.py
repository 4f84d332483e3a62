"""Uses the page as its readers do, in a headless Chromium."""
