"""The environment of the programs that an instance starts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BARE: Final[Mapping[str, str]] = MappingProxyType({"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"})
"""The environment of third-party programs: the server's own holds secrets, and PG* or LC_* change their behaviour."""
