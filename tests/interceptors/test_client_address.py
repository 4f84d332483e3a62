"""Tests the client address of a call: only the edge may state it."""

from collections.abc import Callable
from typing import Any

import pytest

from server.api.interceptors.client_address import UNKNOWN, ClientAddress, limit_address
from tests.interceptors.probe import EDGE, FACES, House, Metadata

Logged = Callable[[], list[dict[str, Any]]]

FORGED: Metadata = (
    ("x-client-ip", "203.0.113.7"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-real-ip", "203.0.113.7"),
    ("forwarded", "for=203.0.113.7"),
    ("x-envoy-external-address", "203.0.113.7"),
    ("x-envoy-original-path", "/api/v1/probe"),
)


async def logged_address(house: House, logged: Logged, metadata: Metadata, *, through_edge: bool, face: str) -> str:
    await house.call(face, metadata, channel=house.edge if through_edge else house.direct)
    return str(logged()[-1]["address"])


@FACES
async def test_direct_caller_is_counted_by_peer_address_always(house: House, face: str, log_lines: Logged) -> None:
    assert await logged_address(house, log_lines, FORGED, through_edge=False, face=face) == "127.0.0.1"


@FACES
async def test_the_edge_is_believed(house: House, face: str, log_lines: Logged) -> None:
    assert await logged_address(house, log_lines, EDGE, through_edge=True, face=face) == "203.0.113.7"


@pytest.mark.parametrize(
    "metadata", [(), [("x-client-ip", "x")], [("x-client-ip", "203.0.113.7"), ("x-client-ip", "203.0.113.8")]]
)
async def test_an_edge_that_names_no_address_or_two_shares_one_budget(
    house: House, log_lines: Logged, metadata: Metadata
) -> None:
    assert await logged_address(house, log_lines, metadata, through_edge=True, face="unary") == UNKNOWN


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:DB8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", UNKNOWN),
        ("192.0.2.1:80", UNKNOWN),
        ("192.0.2", UNKNOWN),
        ("x" * 1000, UNKNOWN),
    ],
)
def test_address_counts_by_its_network_prefix(host: str, counted: str) -> None:
    assert limit_address(host) == counted


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("ipv4:192.0.2.1:4242", "192.0.2.1"),
        ("ipv6:[2001:db8:1:2::1]:4242", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2::1%5D:4242", "2001:db8:1:2::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:4242", "fe80::/64"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:4242", "192.0.2.1"),
        ("", UNKNOWN),
    ],
)
async def test_every_way_grpc_writes_a_peer_is_read(peer: str, counted: str) -> None:
    class Context:
        def peer(self) -> str:
            return peer

    class Call:
        context, rest, address, metadata = Context(), False, "", dict(FORGED)

    seen: list[tuple[str, bool]] = []

    async def proceed(call: Any) -> None:
        seen.append((call.address, call.rest))

    call: Any = Call()
    await ClientAddress().intercept(call, proceed)
    assert seen == [(counted, False)]
