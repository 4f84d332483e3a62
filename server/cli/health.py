"""`medconnect health`: the probe of service managers and containers.

Imports neither the service nor its drivers: a probe that runs every few seconds must not take seconds of CPU time.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from server.api import health_probe
from server.config.settings import ConfigurationWrong, Settings, read_settings, socket_of

commands: Final = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Live = Annotated[bool, typer.Option("--live", help="ask only whether the processes answer, not whether they can work")]
Address = Annotated[
    str | None, typer.Option("--address", help="the host:port to ask; default: the sockets in MEDCONNECT_HOME")
]
Roots = Annotated[
    Path | None, typer.Option("--ca", help="the certificates (PEM) to trust at that address; default: TLS_CERT")
]
Name = Annotated[str, typer.Option("--name", help="the host name in the certificate, if it is not the address's")]


@commands.command()
def health(live: Live = False, address: Address = None, ca: Roots = None, name: Name = "") -> None:
    """Ask the running server whether it can work; exit code 1 if not.

    Without an address every serving process of this MEDCONNECT_HOME is asked by its Unix socket, which needs no TLS.
    """
    settings = read_settings()
    if address is not None:
        states = {address: health_probe.state_at(address, live=live, roots=ca or settings.tls_cert, name=name)}
    else:
        states = {target: health_probe.state_at(target, live=live) for target in _sockets(settings)}
    for target, state in states.items():
        sys.stdout.write(f"{target} {state}\n")
    if set(states.values()) != {health_probe.SERVING}:
        raise typer.Exit(1)


def main() -> None:
    """Runs the command alone."""
    try:
        commands(args=sys.argv[2:], prog_name="medconnect health")
    except ConfigurationWrong as problem:
        sys.exit(f"medconnect: {problem}")


def _sockets(settings: Settings) -> list[str]:
    return [f"unix:{socket_of(settings, number).absolute()}" for number in range(settings.server_processes)]
