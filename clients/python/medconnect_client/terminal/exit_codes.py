"""What the program's exit code tells a script."""

from enum import IntEnum

from medconnect_client.errors import DeadlineExceeded, InternalError, MedConnectError, Unauthenticated, Unavailable


class Exit(IntEnum):
    """Exit codes; the manual lists them."""

    DONE = 0
    """It is done."""
    REFUSED = 1
    """The service refused; nothing was changed, and the reason says why."""
    USAGE = 2
    """The command was not understood; nothing was sent."""
    SIGN_IN = 3
    """Nobody is signed in, the session has ended, or the password was wrong."""
    UNREACHABLE = 4
    """The server could not be reached in time; nothing was changed."""
    MAYBE_DONE = 5
    """No answer came; it may have been done. The same command with `--key` tells, and never does it twice."""
    FAILED = 6
    """Something failed inside."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_code(error: MedConnectError) -> Exit:
    """The exit code of a call that failed."""
    if error.maybe_done:
        return Exit.MAYBE_DONE
    if isinstance(error, Unauthenticated):
        return Exit.SIGN_IN
    if isinstance(error, Unavailable | DeadlineExceeded):
        return Exit.UNREACHABLE
    return Exit.FAILED if isinstance(error, InternalError) else Exit.REFUSED
