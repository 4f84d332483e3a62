"""The environment of the programs that an instance starts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BARE: Final[Mapping[str, str]] = MappingProxyType({"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"})
"""The environment of programs that are not ours: ours holds secrets, and PG* or LC_* change what programs do."""
