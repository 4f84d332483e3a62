"""The base64url alphabet without padding (RFC 4648, section 5)."""

import base64


def encode(data: bytes) -> str:
    """Returns base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
