"""The process that stops the embedded PostgreSQL when `medconnect up` is killed.

It is started by path with `python -I -S`, so it imports the standard library only. Its standard input is a
pipe held by the supervisor: a byte on it is the farewell of a supervisor that stopped the server itself, and
its end without one means that the supervisor was killed. Processes are told apart by /proc: Linux only.
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
"""Time for a fast stop (sessions are ended, a checkpoint is written) before the server is killed."""

_APPEARANCE_SECONDS = 1.0
_POLL_SECONDS = 0.02


def find_server(data: Path) -> int | None:
    """The process number of the server that runs in the folder `data`, or None.

    The number in postmaster.pid alone proves nothing: after a crash it may belong to any other process.
    """
    process = recorded_process(data)
    return process if process is not None and _serves(process, data) else None


def recorded_process(data: Path) -> int | None:
    """The process number in `data`/postmaster.pid, living or not; None when there is none."""
    number = "".join(read_record(data)[:1])
    return int(number) if number.isdecimal() else None


def read_record(data: Path) -> list[str]:
    """The lines of `data`/postmaster.pid: process number first, state eighth; empty when there is none."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def is_postgres(process: int) -> bool:
    """Whether the process lives and runs a program named `postgres`, in whatever folder."""
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
    """The arguments of a process, program first; empty when it is gone or a zombie."""
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
    # The supervisor may have been killed before its new server wrote down its process number.
    _wait(lambda: find_server(data) is not None, _APPEARANCE_SECONDS)
    stop_server(data)
    if temporary_directory is not None:
        shutil.rmtree(temporary_directory, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
