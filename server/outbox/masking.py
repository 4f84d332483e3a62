"""Masks email addresses, so that admins can watch the queue without learning its recipients."""


def masked(address: str) -> str:
    """Returns the first character and the domain: `m***@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def without_address(words: str, address: str) -> str:
    """Returns a mail server's reply with the recipient's address masked: many servers repeat it."""
    start = words.lower().find(address.lower())
    if start < 0:
        return words
    end = start + len(address)
    return words[:start] + masked(address) + without_address(words[end:], address)
