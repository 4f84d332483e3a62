"""Determines the client address of a call."""

from functools import lru_cache
from ipaddress import IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.identity import set_address

EDGE: Final = "unix:"
UNKNOWN: Final = "unknown"


class ClientAddress(Interceptor):
    """Trusts only the edge's forwarded address; the edge calls through the Unix socket."""

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Sets `direct`, `host`, `address` and `rest`, and adopts the edge's request id."""
        peer = call.context.peer()
        call.direct = not peer.startswith(EDGE)
        if call.direct:
            call.host = _host(peer)
        else:
            call.rest = call.has("x-envoy-original-path")
            call.host = call.first("x-client-ip") or UNKNOWN
            call.name(
                call.first("x-request-id") or call.request_id
            )  # the edge's responses and the server's log share one id
        call.address = limit_address(call.host)
        set_address(call.address)
        await proceed(call)


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


@lru_cache(maxsize=1024)
def _host(peer: str) -> str:
    """Returns the host of `ipv4:127.0.0.1:4242` or `ipv6:[::1]:4242` (percent-encoded), without family and port."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]").partition("%")[0]
