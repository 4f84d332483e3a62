"""The process that stops the embedded PostgreSQL when `medconnect up` is killed.

It is started by path with `python -I -S`, so it imports only the standard library. Its standard input is a pipe held by
the supervisor: a byte on it means that the supervisor stopped the server itself, and its end without one means that the
supervisor was killed. Processes are identified by /proc: Linux only.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

FAREWELL = b"."
STOP_SECONDS = 20.0
"""The time for a fast stop (sessions are ended, a checkpoint is written) before the server is killed."""

_APPEARANCE_SECONDS = 1.0
_POLL_SECONDS = 0.02


def find_server(data: Path) -> int | None:
    """Returns the process id of the server that runs in the folder `data`, or None.

    The id in postmaster.pid alone proves nothing: after a crash it may belong to any other process.
    """
    process = recorded_process(data)
    return process if process is not None and _serves(process, data) else None


def recorded_process(data: Path) -> int | None:
    """Returns the process id in `data`/postmaster.pid, running or not; None without the file."""
    number = "".join(read_record(data)[:1])
    return int(number) if number.isdecimal() else None


def read_record(data: Path) -> list[str]:
    """Returns the lines of `data`/postmaster.pid: process id first, state eighth; empty without the file."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def is_postgres(process: int) -> bool:
    """Returns whether the process runs a program named `postgres`, in whatever folder."""
    return any(Path(os.fsdecode(program)).name == "postgres" for program in _command_line(process)[:1])


def stop_server(data: Path) -> None:
    """Stops the server in `data` if one runs: SIGINT (fast stop), after STOP_SECONDS SIGKILL."""
    for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGKILL, 1.0)):
        process = find_server(data)
        if process is None:
            return
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return
        _wait(lambda: find_server(data) is None, seconds)


def _serves(process: int, data: Path) -> bool:
    try:
        same_owner = Path("/proc", str(process)).stat().st_uid == data.stat().st_uid
    except FileNotFoundError:
        return False
    return same_owner and _command_line(process)[1:3] == [b"-D", os.fsencode(data)]


def _command_line(process: int) -> list[bytes]:
    """Returns the arguments of a process, program first; empty when it is gone or a zombie."""
    try:
        return Path("/proc", str(process), "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def main(data: Path, temporary_directory: Path | None) -> None:
    """Waits for the supervisor's end; stops the server in `data` and removes the folder if it was killed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(sys.stdin.fileno(), 1) == FAREWELL:
        return
    # The supervisor may have been killed before its new server wrote its process id.
    _wait(lambda: find_server(data) is not None, _APPEARANCE_SECONDS)
    stop_server(data)
    if temporary_directory is not None:
        shutil.rmtree(temporary_directory, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
