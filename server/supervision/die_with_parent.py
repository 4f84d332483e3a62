"""Runs a program that dies with its parent process: `die_with_parent.py PARENT_PID PROGRAM ARGUMENTS…`.

This is a separate program, run without site packages, because only async-signal-safe code may run between fork and
exec, and Python is not async-signal-safe.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; preserved across exec


def main() -> None:
    """Requests SIGKILL from the kernel at the parent's death, then executes the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # the parent died before the request
        sys.exit("the parent has ended")
    os.execv(program, sys.argv[2:])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
