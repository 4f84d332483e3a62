"""Reports the share of connections in use to Envoy's overload manager, which has no monitor for it.

Near the limit Envoy closes connections after one second of idle time, so that idle connections, from any number of
addresses, cannot block new clients for longer.
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
    """Writes a value from 0 to 1 for Envoy. The file is moved into place, because Envoy watches for moved files."""
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
            continue  # Envoy is busy or has ended
        pressure = min(1.0, active / config.most_connections)
        if round(pressure, 2) != known:
            known = round(pressure, 2)
            write(config, pressure)
