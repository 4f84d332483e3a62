"""The exit codes of `medconnect-pharmacy`."""

from enum import IntEnum

from medconnect_client.errors import DeadlineExceeded, InternalError, MedConnectError, Unauthenticated, Unavailable


class Exit(IntEnum):
    """Exit codes; README.md lists them too."""

    DONE = 0
    """The command succeeded."""
    REFUSED = 1
    """The service rejected the command; nothing was changed, and the reason states why."""
    USAGE = 2
    """The command was invalid; nothing was sent."""
    SIGN_IN = 3
    """Not signed in, the session has ended, or the password was wrong."""
    UNREACHABLE = 4
    """The server could not be reached in time; nothing was changed."""
    MAYBE_DONE = 5
    """The outcome is unknown. The same command with `--key` returns it and never carries the command out twice."""
    FAILED = 6
    """The service failed."""
    INTERRUPTED = 130
    """The user pressed Ctrl-C."""


def exit_code(error: MedConnectError) -> Exit:
    """Returns the exit code of a failed call."""
    if error.maybe_done:
        return Exit.MAYBE_DONE
    if isinstance(error, Unauthenticated):
        return Exit.SIGN_IN
    if isinstance(error, Unavailable | DeadlineExceeded):
        return Exit.UNREACHABLE
    return Exit.FAILED if isinstance(error, InternalError) else Exit.REFUSED
