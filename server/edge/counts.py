"""Reads Envoy's counters for the metrics, every few seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from server import background
from server.edge.admin import Admin, AdminError

READ_SECONDS: Final = 5.0

PORTS: Final = ("rest", "grpc")
CLUSTERS: Final = ("server", "grpc_server")
CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
CAUSES: Final = {
    "upstream_cx_none_healthy": "no_healthy_server",
    "upstream_cx_overflow": "overflow",
    "upstream_rq_pending_overflow": "overflow",
    "upstream_cx_connect_fail": "not_connected",
    "upstream_rq_timeout": "timeout",
    "upstream_rq_rx_reset": "reset_by_server",
}
"""Why a call could not be passed on, by Envoy's counters of a cluster."""
MEMBERS: Final = {"membership_total": "known", "membership_healthy": "healthy"}

Place = tuple[str, tuple[str, str]]
"""A metric and the values of its labels."""


def _places() -> Mapping[str, Place]:
    """Returns the metric of each of Envoy's counters, by the counter's name."""
    places: dict[str, Place] = {}
    for port in PORTS:
        for each in CLASSES:
            places[f"http.{port}.downstream_rq_{each}"] = "medconnect_edge_responses", (port, each)
        places[f"http.{port}.downstream_cx_active"] = "medconnect_edge_connections", (port, "active")
    for cluster in CLUSTERS:
        for counter, cause in CAUSES.items():
            places[f"cluster.{cluster}.{counter}"] = "medconnect_edge_failures", (cluster, cause)
        for gauge, what in MEMBERS.items():
            places[f"cluster.{cluster}.{gauge}"] = "medconnect_edge_servers", (cluster, what)
    return places


PLACES: Final = _places()
FILTER: Final = (
    f"^(http.({'|'.join(PORTS)}).downstream_(rq_[2-5]xx|cx_active)"
    f"|cluster.({'|'.join(CLUSTERS)}).({'|'.join((*CAUSES, *MEMBERS))}))$"
)

Values = Mapping[str, Mapping[tuple[str, str], float]]


async def read(admin: Admin) -> Values:
    """Returns the values of every metric, by its labels. Raises AdminError."""
    values: dict[str, dict[tuple[str, str], float]] = {}
    for name, value in (await admin.counters(FILTER)).items():
        if name in PLACES:
            metric, labels = PLACES[name]
            of_metric = values.setdefault(metric, {})
            of_metric[labels] = of_metric.get(labels, 0) + value
    return values


@asynccontextmanager
async def followed(admin: Admin, seen: Callable[[Values | None], None]) -> AsyncIterator[None]:
    """Calls `seen` with the values every few seconds, with None when Envoy does not answer, until the block is left."""
    async with background.running(_follow(admin, seen)):
        yield


async def _follow(admin: Admin, seen: Callable[[Values | None], None]) -> None:
    while True:
        try:
            seen(await read(admin))
        except AdminError:
            seen(None)
        await asyncio.sleep(READ_SECONDS)
