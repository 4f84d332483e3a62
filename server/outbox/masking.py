"""Addresses as those see them who watch the queue, and need not know whom it serves."""


def masked(address: str) -> str:
    """The first character and the domain: `m***@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def without_address(words: str, address: str) -> str:
    """What a mail server said, with the recipient's address masked: servers like to repeat it."""
    start = words.lower().find(address.lower())
    if start < 0:
        return words
    end = start + len(address)
    return words[:start] + masked(address) + without_address(words[end:], address)
