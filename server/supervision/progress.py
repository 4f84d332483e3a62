"""Waits for a starting process for as long as it works, however busy the machine is."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

IDLE_SECONDS: Final = 30.0
"""A starting process that uses no processor time for this long is considered hung."""
LOOK_SECONDS: Final = 0.5

T = TypeVar("T")


async def while_it_works(pid: int, answer: Coroutine[Any, Any, T], idle_seconds: float = IDLE_SECONDS) -> T:
    """Returns the answer, waiting for as long as the process keeps using processor time.

    The answer must end by itself when the process does. Raises TimeoutError when the process is idle for
    `idle_seconds`.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(answer)
    used, since = _processor_time(pid), loop.time()
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if (now_used := _processor_time(pid)) != used:
                used, since = now_used, loop.time()
            elif loop.time() - since > idle_seconds:
                raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


def _processor_time(pid: int) -> int:
    """Returns the clock ticks that the process has used, fields 14 and 15 of /proc/PID/stat; 0 when it is gone."""
    try:
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
