"""Determines the client address of a call."""

from functools import lru_cache
from ipaddress import IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote

from server.api.interceptors.base import Next
from server.api.interceptors.call import Call
from server.identity import set_address

EDGE: Final = "unix:"
UNKNOWN: Final = "unknown"


class ClientAddress:
    """Trusts only the edge's forwarded address; the edge calls through the Unix socket."""

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Sets `host`, `address` and `rest`, and adopts the edge's request id."""
        peer = call.context.peer()
        if peer.startswith(EDGE):
            call.rest = "x-envoy-original-path" in call.metadata
            call.host = call.first("x-client-ip") or UNKNOWN
            call.name(
                call.first("x-request-id") or call.request_id
            )  # the edge's responses and the server's log share one id
        else:
            call.host = _host(peer)
        call.address = limit_address(call.host)
        set_address(call.address)
        await proceed(call)


def peer_address(peer: str) -> str:
    """Returns the address that rate limits count for a directly connected client."""
    return limit_address(_host(peer))


@lru_cache(maxsize=4096)
def limit_address(host: str) -> str:
    """Returns the address that limits count: IPv4 unchanged, IPv6 by its /64, which one household or host owns."""
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))


def _host(peer: str) -> str:
    """Returns the host of `ipv4:127.0.0.1:4242` or `ipv6:[::1]:4242` (percent-encoded), without family and port."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]").partition("%")[0]
