"""Whether the work beside the calls is done, by whichever process does it."""
