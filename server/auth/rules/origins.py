"""Rules for the origins of sign-ins: which of them the owner of an account is told of."""

import ipaddress
from datetime import timedelta
from typing import Final

IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 48
"""The largest network that a provider gives one customer."""


def network_of(address: str) -> str:
    """Returns the network of a client address as the audit records it; the text itself if it is unknown.

    Most providers assign new addresses from one network, so that the owner is told less often.
    """
    try:
        counted = ipaddress.ip_network(address)
    except ValueError:
        return address
    return str(counted.supernet(new_prefix=IPV4_PREFIX if counted.version == 4 else IPV6_PREFIX))


def is_unfamiliar(unused_for: timedelta | None, *, signed_in_before: bool, within: timedelta) -> bool:
    """Returns whether the owner is told of a sign-in: never of the first one of an account.

    unused_for: the time since the account last signed in with this device from this network; None: never. within: the
    time in which both must have been used together to be familiar.
    """
    return signed_in_before and (unused_for is None or unused_for > within)
