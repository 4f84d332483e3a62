"""Envoy's life cycle: start, health, drain, and the end with its parent."""

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from server.edge import EdgeConfig, EdgeFailed, process, running
from server.edge.config import TEMPLATE
from tests.edge.test_refusals import assert_refused, assert_safe
from tests.edge.toy import Toy
from tests.fixtures.proofs import control

START_AND_WAIT = """
import asyncio, sys
from contextlib import AsyncExitStack
from pathlib import Path
from server.edge import EdgeConfig, running
async def main():
    home = Path(sys.argv[1])
    async with running(EdgeConfig(home=home, server_sockets=(home / "none.sock",), port=0)) as edge:
        print(edge.process.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_health_follows_the_servers_and_the_end_waits_for_calls(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "server-0.sock")
    await toy.start()
    config = EdgeConfig(home=tmp_path, server_sockets=(toy.socket, tmp_path / "none.sock"), port=0)
    async with httpx.AsyncClient() as rest:
        async with running(config) as edge:
            base = "http://{}:{}".format(*edge.address)
            healthy = await rest.get(f"{base}/health")
            assert (healthy.status_code, healthy.text) == (200, '{"status":"SERVING"}')
            assert healthy.headers["x-content-type-options"] == "nosniff"
            slow = asyncio.create_task(rest.post(f"{base}/api/v1/pharmacy/scan", json={"qrCode": "slow"}))
            await asyncio.sleep(0.1)
        assert (await slow).json()["data"]["prescription"]["diagnosis"] == "slow"
        with pytest.raises(httpx.ConnectError):
            await rest.get(f"{base}/health")
    await toy.stop()


@control("S73")
async def test_unhealthy_server_response_has_security_headers(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "server-0.sock")
    await toy.start()
    await toy.set_serving(False)
    async with running(EdgeConfig(home=tmp_path, server_sockets=(toy.socket,), port=0)) as edge:
        async with httpx.AsyncClient(base_url="http://{}:{}".format(*edge.address)) as rest:
            health = await rest.get("/health")
            assert (health.status_code, health.text) == (503, '{"status":"NOT_SERVING"}')
            refused = await rest.get("/api/v1/users")
            assert (refused.status_code, refused.json()["error"]["type"]) == (503, "UNAVAILABLE")
            assert_safe(health)
            assert_safe(refused)
            assert refused.json()["error"]["requestId"] == refused.headers["x-request-id"]
            await toy.set_serving(True)
            async with asyncio.timeout(5):
                while (await rest.get("/health")).status_code != 200:
                    await asyncio.sleep(0.05)
            assert (await rest.get("/api/v1/users")).status_code == 200
        assert await edge.admin.counter("http.rest.lua.envelope.errors") == 0
    await toy.stop()


async def test_a_server_that_takes_too_long_is_given_up_with_504(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = tmp_path / "envoy.yaml"
    impatient.write_text(TEMPLATE.read_text().replace("timeout: 30s}", "timeout: 0.2s}"))
    monkeypatch.setattr(process, "TEMPLATE", impatient)
    toy = Toy(tmp_path / "server-0.sock")
    await toy.start()
    config = EdgeConfig(home=tmp_path / "home", server_sockets=(toy.socket,), port=0)
    async with running(config) as edge, httpx.AsyncClient(base_url=edge.url) as rest:
        late = await rest.post("/api/v1/pharmacy/scan", json={"qrCode": "slow"})
        assert_refused(late, 504, "DEADLINE_EXCEEDED")
        assert (await rest.get("/api/v1/users")).status_code == 200
    await toy.stop()


async def test_two_edges_never_share_a_port(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    async with running(EdgeConfig(home=first, server_sockets=(tmp_path / "none.sock",), port=0)) as edge:
        config = EdgeConfig(home=second, server_sockets=(tmp_path / "none.sock",), port=edge.address[1])
        with pytest.raises(EdgeFailed, match=r"(?i)address already in use"):
            async with running(config):
                pass


async def test_a_port_that_is_taken_fails_the_start_with_the_log(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(EdgeFailed, match=r"(?i)address already in use"):
        async with running(EdgeConfig(home=tmp_path, server_sockets=(tmp_path / "s",), port=port)):
            pytest.fail("it started")
    taken.close()
    await taken.wait_closed()


async def test_killing_the_parent_leaves_no_envoy(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        START_AND_WAIT,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdout
    envoy = int(await asyncio.wait_for(parent.stdout.readline(), 15))
    assert b"envoy" in Path(f"/proc/{envoy}/cmdline").read_bytes()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(5):
        while alive(envoy):
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Returns whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@control("S76")
async def test_the_admin_interface_is_a_socket_of_this_user_only(tmp_path: Path) -> None:
    config = EdgeConfig(home=tmp_path, server_sockets=(tmp_path / "none.sock",), port=0)
    async with running(config) as edge:
        assert config.admin_socket.stat().st_mode & 0o077 == 0
        assert edge.address[0] == "127.0.0.1"
        written = config.folder / "envoy.yaml"
        assert not re.search(r"\$\{\w+\}", written.read_text())
    assert json.dumps(str(config.admin_socket)) in written.read_text()


@control("S85")
async def test_connections_that_wait_make_room_for_newcomers(tmp_path: Path) -> None:
    config = EdgeConfig(home=tmp_path, server_sockets=(tmp_path / "none.sock",), port=0, most_connections=60)
    async with running(config) as edge, AsyncExitStack() as stack:
        for _ in range(config.most_connections):
            _, writer = await asyncio.open_connection(*edge.address)
            stack.callback(writer.close)
            writer.write(b"GET / HTTP/1.1\r\nhost: edge\r\n\r\n")
        await asyncio.sleep(0.5)
        async with asyncio.timeout(5):
            assert await status_of_the_page(edge.url) == 200


async def status_of_the_page(url: str) -> int:
    """Opens new connections until one is answered; returns its status."""
    while True:
        try:
            async with httpx.AsyncClient() as newcomer:
                return (await newcomer.get(url)).status_code
        except httpx.TransportError:
            await asyncio.sleep(0.1)
