"""Tells Envoy how full its table of connections is, which none of its own monitors reports to its overload manager.

Near the limit Envoy gives idle connections a second and then closes them, so that connections which only wait, from
however many addresses, keep no newcomer out for longer than that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from server import background
from server.edge.admin import Admin, AdminError
from server.edge.config import EdgeConfig

INTERVAL_SECONDS: Final = 0.5
CONNECTIONS: Final = ("http.rest.downstream_cx_active", "http.grpc.downstream_cx_active")


def write(config: EdgeConfig, pressure: float) -> None:
    """Writes a value from 0 to 1 where Envoy reads it; it follows a file that is moved into place."""
    fresh = config.pressure.with_suffix(".new")
    fresh.write_text(f"{pressure:.3f}")
    fresh.replace(config.pressure)


@asynccontextmanager
async def followed(config: EdgeConfig, admin: Admin) -> AsyncIterator[None]:
    """Keeps the value current until the block is left."""
    async with background.running(_follow(config, admin)):
        yield


async def _follow(config: EdgeConfig, admin: Admin) -> None:
    known = 0.0
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        try:
            active = sum([await admin.counter(name) for name in CONNECTIONS])
        except AdminError:
            continue  # Envoy is busy, or ends
        pressure = min(1.0, active / config.most_connections)
        if round(pressure, 2) != known:
            known = round(pressure, 2)
            write(config, pressure)
