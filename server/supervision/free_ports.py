"""Checks before anything is started that the ports of the settings are free.

`make run` runs this file before it installs anything, with `NAME=host:port …`, so it imports the standard library only.
"""

import errno
import socket
import sys
from collections.abc import Mapping


class PortTaken(OSError):
    """A port of the settings cannot be listened on; the text names the setting."""


def require(addresses: Mapping[str, str]) -> None:
    """Raises PortTaken unless each `host:port` can be listened on; the keys name the settings. Port 0 always can."""
    faults = [fault for name, address in addresses.items() if (fault := _fault(name, address))]
    if faults:
        raise PortTaken("\n".join(faults))


def _fault(name: str, address: str) -> str | None:
    host, _, port = address.rpartition(":")
    try:
        known = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, kind, _, _, place = known[0]
        with socket.socket(family, kind) as probe:
            # Connections of a previous run stay in TIME-WAIT for a minute and do not keep the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"{name}: another program uses {address}; stop it, or set {name} to a free port"
        return f"{name}: cannot listen on {address}: {error.strerror}"
    return None


if __name__ == "__main__":
    try:
        require(dict(argument.split("=", 1) for argument in sys.argv[1:]))
    except PortTaken as problem:
        sys.exit(str(problem))
