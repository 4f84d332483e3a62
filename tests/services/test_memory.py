"""Tests what a serving process loads: memory that serves no call is paid for once per process."""

import subprocess
import sys
from typing import Final

MIB: Final = 140
"""The memory of a process that has loaded the whole server: 131 MiB here. After 100,000 calls it is at most 150."""
ABSENT: Final = ("redis", "uvicorn", "IPython", "pytest")
"""Packages that serve no call of an instance without Redis."""

_LOAD: Final = f"""
import re, sys
from pathlib import Path
import server.cli.commands
print(*[name for name in {ABSENT} if name in sys.modules])
print(re.search(r"VmRSS:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_serving_process_loads_only_what_it_needs() -> None:
    loaded = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
    unneeded, kilobytes = loaded.stdout.splitlines()
    assert unneeded == ""
    assert int(kilobytes) / 1024 < MIB
