"""Tests the networks of sign-ins, and of which ones owners are told."""

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth.rules.origins import is_unfamiliar, network_of
from tests.fixtures.proofs import control

WITHIN = timedelta(days=90)
SIGN_INS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["here", "there", "elsewhere"])), max_size=20)
"""Sign-ins of one account: the days since the one before, and the origin."""


@control("S102")
@given(SIGN_INS)
def test_told_unless_first_or_used_lately(sign_ins: list[tuple[int, str]]) -> None:
    """Compares the rule with all former sign-ins; the storage keeps only the last of each origin."""
    today, former = 0, list[tuple[int, str]]()
    for days, origin in sign_ins:
        today += days
        unused = [timedelta(days=today - day) for day, used in former if used == origin]
        told = is_unfamiliar(min(unused, default=None), signed_in_before=bool(former), within=WITHIN)
        lately = {used for day, used in former if today - day <= WITHIN.days}
        assert told == (bool(former) and origin not in lately)
        former.append((today, origin))


@given(st.ip_addresses(), st.integers(0, 255))
def test_neighbouring_addresses_are_in_one_network(address: IPv4Address | IPv6Address, last: int) -> None:
    neighbour = ip_address(address.packed[:-1] + bytes([last]))
    assert network_of(str(neighbour)) == network_of(str(address))
    assert address in ip_network(network_of(str(address)))


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::/64", "2001:db8:1::/48"), ("unknown", "unknown")],
)
def test_network_hides_the_last_parts_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
