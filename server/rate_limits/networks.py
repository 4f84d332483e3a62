"""Networks whose addresses stand for many people: `10.0.0.0/8:50,2001:db8::/32:20`."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WIDER_IPV6_PREFIX: Final = 48
"""What one customer of a provider may have: 65,536 networks of the size that is counted."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_IPV6_PREFIX: Final = 64
"""IPv6 is counted by the /64: a smaller network has no limits of its own."""


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A network, and how many times the limits of a stranger's address each of its addresses has."""

    network: Network
    factor: float

    @classmethod
    def parse(cls, text: str) -> "KnownNetwork":
        """Read `network:factor`. Raises ValueError, which says what is wrong without quoting it."""
        written, separator, number = text.rpartition(":")
        try:
            network = ipaddress.ip_network(written.strip("[]"))
            factor = float(number)
        except ValueError:
            raise ValueError("needs networks such as 10.0.0.0/8:50 (no bits beyond the prefix)") from None
        if not separator or not 1 <= factor <= 1_000_000:
            raise ValueError("needs factors from 1 to 1,000,000")
        if network.version == 6 and network.prefixlen > LONGEST_IPV6_PREFIX:
            raise ValueError("counts IPv6 by the /64: no smaller network can be told apart")
        return cls(network, factor)

    def holds(self, counted: Network) -> bool:
        """Whether an address, as limits count it, lies in this network."""
        return counted.version == self.network.version and counted.subnet_of(self.network)  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def wider_network(address: str) -> str | None:
    """Returns the /48 of an IPv6 address, as limits count it; None for IPv4 and for what is no address."""
    try:
        counted = ipaddress.ip_network(address)
    except ValueError:
        return None
    return str(counted.supernet(new_prefix=WIDER_IPV6_PREFIX)) if isinstance(counted, ipaddress.IPv6Network) else None


def known_networks(texts: Sequence[str]) -> Sequence[KnownNetwork]:
    """The networks written so, the smallest first: where two overlap the smaller one counts."""
    return sorted(map(KnownNetwork.parse, texts), key=lambda known: -known.network.prefixlen)
