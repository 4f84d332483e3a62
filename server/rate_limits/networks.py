"""Networks whose addresses are shared by many people: `10.0.0.0/8:50,2001:db8::/32:20`."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WIDER_IPV6_PREFIX: Final = 48
"""The largest network that a provider gives one customer: 65,536 networks of the counted size (/64)."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_IPV6_PREFIX: Final = 64
"""IPv6 addresses are counted by their /64, so a smaller network has no limits of its own."""


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A network, and the factor that multiplies the address limits of each of its addresses."""

    network: Network
    factor: float

    @classmethod
    def parse(cls, text: str) -> "KnownNetwork":
        """Parses `network:factor`. Raises ValueError, which describes the fault without quoting the text."""
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
        """Returns whether an address, as limits count it, is in this network."""
        return counted.version == self.network.version and counted.subnet_of(self.network)  # type: ignore[arg-type]


@lru_cache(maxsize=4096)
def wider_network(address: str) -> str | None:
    """Returns the /48 of an IPv6 address, as limits count it; None for IPv4 and for invalid addresses."""
    try:
        counted = ipaddress.ip_network(address)
    except ValueError:
        return None
    return str(counted.supernet(new_prefix=WIDER_IPV6_PREFIX)) if isinstance(counted, ipaddress.IPv6Network) else None


def known_networks(texts: Sequence[str]) -> Sequence[KnownNetwork]:
    """Returns the parsed networks, the smallest first: where two overlap, the smaller one applies."""
    return sorted(map(KnownNetwork.parse, texts), key=lambda known: -known.network.prefixlen)
