"""Tests who may read the metrics, and that a blocked client or event loop stops no reader."""

import math
import socket
import ssl
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import httpx
import pytest

from server.clock import Clock
from server.config.settings import read_settings
from server.config.tls import TlsFiles
from server.loop_lag import INTERVAL_SECONDS, measured
from server.metrics import Metrics
from server.metrics_endpoint import MetricsAccess, served
from server.runtime.server import metrics_served
from tests.fixtures.certificates import Authority

TOKEN = "the-token-of-prometheus"


async def status(port: int, path: str = "/metrics", **options: object) -> tuple[int, str]:
    scheme = "https" if "verify" in options else "http"
    async with httpx.AsyncClient(**options) as prometheus:  # type: ignore[arg-type]
        told = await prometheus.get(f"{scheme}://127.0.0.1:{port}{path}")
    return told.status_code, told.text


async def test_metrics_are_served_until_the_end() -> None:
    metrics = Metrics()
    metrics.store_failed("redis")
    async with served(metrics.registry, "127.0.0.1:0", MetricsAccess()) as port:
        code, text = await status(port)
        assert code == 200
        assert 'medconnect_rate_limit_store_failures_total{store="redis"} 1.0' in text
        assert (await status(port, "/"))[0] == 404
        with pytest.raises(OSError, match="in use"):
            async with served(metrics.registry, f"127.0.0.1:{port}", MetricsAccess()):
                pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("given", "code"),
    [(f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), (f"Basic {TOKEN}", 401), ("", 401)],
)
async def test_only_readers_with_the_token_get_metrics(given: str, code: int) -> None:
    async with served(Metrics().registry, "127.0.0.1:0", MetricsAccess(TOKEN)) as port:
        answered, text = await status(port, headers={"authorization": given})
    assert answered == code
    assert ("medconnect_ready" in text) == (code == 200)


async def test_only_certificates_of_the_authority_get_metrics(tmp_path: Path) -> None:
    ours, other = Authority(), Authority("Another")
    certificate, key = ours.pair("server").save(tmp_path)
    (tmp_path / "ca.pem").write_bytes(ours.root)
    access = MetricsAccess(None, TlsFiles(certificate, key, tmp_path / "ca.pem"))
    trusting = ssl.create_default_context(cadata=ours.root.decode())
    async with served(Metrics().registry, "127.0.0.1:0", access) as port:
        with socket.create_connection(("127.0.0.1", port)):  # a client without a handshake keeps no other one waiting
            for authority, name in ((ours, "prometheus"), (other, "stranger")):
                context = ssl.create_default_context(cadata=ours.root.decode())
                context.load_cert_chain(*authority.pair(name).save(tmp_path, name))
                if authority is ours:
                    assert (await status(port, verify=context))[0] == 200
                else:
                    with pytest.raises((httpx.TransportError, ssl.SSLError)):
                        await status(port, verify=context)
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await status(port, verify=trusting)


async def test_a_blocked_event_loop_shows_in_the_metrics() -> None:
    metrics = Metrics()
    async with measured(metrics.loop_lagged), served(metrics.registry, "127.0.0.1:0", MetricsAccess()):
        await anyio.sleep(INTERVAL_SECONDS / 2)
        time.sleep(2 * INTERVAL_SECONDS)  # noqa: ASYNC251 - what the metric is about
        await anyio.sleep(0.05)
        late = metrics.registry.get_sample_value("medconnect_event_loop_lag_seconds_sum")
    assert late is not None
    assert late > INTERVAL_SECONDS


@pytest.mark.parametrize(
    ("url", "samples"), [(None, [math.inf]), ("postgresql://clinic@db/clinic", [])], ids=["embedded", "own PostgreSQL"]
)
async def test_base_backup_age_is_measured_beside_the_embedded_one(
    tmp_path: Path, url: str | None, samples: list[float]
) -> None:
    settings = read_settings(backup_folder=tmp_path, database_url=url, db_host=None)
    core: Any = SimpleNamespace(settings=settings, clock=Clock(), metrics=Metrics())
    async with metrics_served(core, None):
        assert [
            sample.value for family in core.metrics.base_backup_age.collect() for sample in family.samples
        ] == samples
