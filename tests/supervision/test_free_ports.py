"""Tests the check of the ports before anything is started."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.config.settings import read_settings
from server.runtime import instance
from server.supervision import free_ports
from server.supervision.free_ports import PortTaken

ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken() -> Iterator[str]:
    """Yields a `host:port` on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_require_names_each_setting_whose_port_is_taken(taken: str) -> None:
    given = {"REST_ADDRESS": taken, "GRPC_ADDRESS": "127.0.0.1:0", "METRICS_ADDRESS": taken}
    with pytest.raises(PortTaken) as refused:
        free_ports.require(given)
    assert str(refused.value).splitlines() == [
        f"{name}: another program uses {taken}; stop it, or set {name} to a free port"
        for name in ("REST_ADDRESS", "METRICS_ADDRESS")
    ]


def test_require_accepts_a_port_that_was_just_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.getsockname()
        with socket.create_connection(place), listening.accept()[0]:
            pass  # leaves connections in TIME-WAIT
    free_ports.require({"REST_ADDRESS": f"127.0.0.1:{place[1]}"})


def test_require_names_an_address_of_another_machine() -> None:
    with pytest.raises(PortTaken, match=r"^REST_ADDRESS: cannot listen on 203\.0\.113\.1:0: "):
        free_ports.require({"REST_ADDRESS": "203.0.113.1:0"})


async def test_up_with_a_taken_port_leaves_no_files(taken: str, tmp_path: Path) -> None:
    settings = read_settings(medconnect_home=tmp_path / "var", rest_address=taken, grpc_address="127.0.0.1:0")
    with pytest.raises(PortTaken, match="REST_ADDRESS"):
        async with instance.up(settings):
            pass
    assert not (tmp_path / "var").exists()


def test_make_run_names_a_taken_port_before_it_installs(taken: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "REST_ADDRESS": taken, "GRPC_ADDRESS": "127.0.0.1:0"}
    command = ["make", "--no-print-directory", "free-ports", f"READY={tmp_path / 'none'}", f"PYTHON={sys.executable}"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert run.stderr.startswith(f"REST_ADDRESS: another program uses {taken}")
