"""Shows the progress of calls, and tracks whether the server is reachable."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from medconnect_client import Progress
from medconnect_client.errors import MedConnectError, RateLimitExceeded, RequestInProgress, Unavailable


class Waiting:
    """Shows a status line while a call runs; `observe` is the client's observer."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = ""
        self._status: Status | None = None
        self.reachable = True
        """Whether the server responded to the last call."""

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Shows a description while the block runs."""
        self._doing = what
        with self._console.status(f"{what} …") as self._status:
            try:
                yield
            except MedConnectError as error:
                self.reachable = not isinstance(error, Unavailable)
                raise
            finally:
                self._status = None
        self.reachable = True

    def observe(self, progress: Progress) -> None:
        """Shows why the call waits; runs in the client's thread."""
        status = self._status
        if status is None or progress.waiting is None or progress.error is None:
            return
        why = reason_to_wait(progress.error)
        attempt = f"attempt {progress.attempt + 1} of {progress.attempts}"
        status.update(Text(f"{self._doing}: {why}, {attempt} in {progress.waiting:.1f} s"))


def reason_to_wait(error: MedConnectError) -> str:
    """Returns a short reason why a call is retried."""
    if isinstance(error, RateLimitExceeded):
        return "too many requests"
    if isinstance(error, RequestInProgress):
        return "the server is still working"
    return "the server cannot be reached" if isinstance(error, Unavailable) else "no response yet"
