"""The environment of every command: connection, stored session, output, and an exit code for each failure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
from rich.console import Console, RenderableType

from medconnect_client import Client, MedConnectError, RetryPolicy, Tls
from medconnect_client.terminal import screens
from medconnect_client.terminal.entries import EntryWrong
from medconnect_client.terminal.exit_codes import Exit, exit_code
from medconnect_client.terminal.json_text import error_value, json_text
from medconnect_client.terminal.token_file import TokenFile, TokenFileExposed, default_path
from medconnect_client.terminal.waiting import Waiting

T = TypeVar("T")

PATIENCE: Final = RetryPolicy(attempts=8, throttled=False)
"""Retries for an interactive user: long enough for a restart of the server; one user cannot overload it."""
TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """The server's address and TLS settings, and the folder that stores its sessions."""

    address: str
    tls: Tls | None
    home: Path


@dataclass(frozen=True, slots=True)
class Desk:
    """The client and the output of a command."""

    client: Client
    console: Console
    waiting: Waiting
    as_json: bool

    def call(self, doing: str, call: Callable[[], T]) -> T:
        """Makes a call and shows its description meanwhile."""
        with self.waiting.doing(doing):
            return call()

    def answer(self, value: Any, shown: RenderableType) -> None:  # noqa: ANN401 - the result of any command
        """Prints a result, as JSON or for people."""
        if self.as_json:
            typer.echo(json_text(value))
        else:
            self.console.print(shown)


@contextmanager
def open_desk(server: Server, *, as_json: bool = False) -> Iterator[Desk]:
    """Opens a connection for a command; prints a failure and exits with its exit code."""
    console = Console(highlight=False, emoji=False, stderr=as_json)
    waiting = Waiting(console)
    try:
        tokens = TokenFile(default_path(server.address, server.home))
        with Client(
            server.address,
            tls=server.tls,
            tokens=tokens,
            retry=PATIENCE,
            timeout=TIMEOUT_SECONDS,
            observer=waiting.observe,
        ) as client:
            yield Desk(client, console, waiting, as_json)
    except MedConnectError as error:
        _tell(console, as_json, error_value(error), screens.failure(error))
        raise typer.Exit(exit_code(error)) from None
    except (EntryWrong, TokenFileExposed, OSError) as problem:
        _tell(console, as_json, {"reason": "USAGE", "message": str(problem)}, screens.bad(str(problem)))
        raise typer.Exit(Exit.USAGE) from None
    except (KeyboardInterrupt, EOFError):
        raise typer.Exit(Exit.INTERRUPTED) from None


def _tell(console: Console, as_json: bool, value: dict[str, Any], shown: RenderableType) -> None:
    if as_json:
        typer.echo(json_text({"error": value}))
    else:
        console.print(shown)
