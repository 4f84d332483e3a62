"""Names devices and programs in words, from the user agents that they send."""

import re
from collections.abc import Mapping
from typing import Final

UNKNOWN_DEVICE: Final = "Unknown device"

# In this order: the user agent of almost every browser names Safari and Chrome too.
_BROWSERS: Final[Mapping[str, str]] = {
    "Edg/": "Edge",
    "EdgA/": "Edge",
    "EdgiOS/": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
# In this order: Android's user agent names Linux, and an iPhone's names Mac OS X.
_SYSTEMS: Final[Mapping[str, str]] = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Macintosh": "Mac",
    "Linux": "Linux",
}
_PROGRAMS: Final[Mapping[str, str]] = {"medconnect-client": "MedConnect client"}
_PRODUCT: Final = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,39})(?:/|\s|$)")
_BROWSER_PRODUCT: Final = "Mozilla"
"""The first word of the user agent of every browser."""


def device_name(user_agent: str) -> str:
    """Returns the browser and system, or the program, that a user agent names; empty if it names neither.

    The caller chooses the user agent, so the name helps people to recognize their devices and proves nothing. A
    program's name has at most 40 characters, all of them letters, digits, dots, hyphens and underscores.
    """
    product = _PRODUCT.match(user_agent)
    if product is None:
        return ""
    if product[1] != _BROWSER_PRODUCT:
        return _PROGRAMS.get(product[1], product[1])
    return " on ".join(filter(None, (_first_named(_BROWSERS, user_agent), _first_named(_SYSTEMS, user_agent))))


def _first_named(names: Mapping[str, str], user_agent: str) -> str:
    return next((name for mark, name in names.items() if mark in user_agent), "")
