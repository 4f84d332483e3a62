"""Keeps secrets and patients' data out of core dumps: a dump is the memory of a process, written to a file."""

import ctypes
import os
import resource
from typing import Final

PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
NO_DUMP_BYTES: Final = 1
"""Smaller than any dump. Unlike 0 it also forbids dumps to a program that core_pattern names (Linux, fs/coredump.c)."""


def forbid() -> None:
    """Forbids core dumps of this process and of all that it starts from now on."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    limit = NO_DUMP_BYTES if most == resource.RLIM_INFINITY else min(NO_DUMP_BYTES, most)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def close_memory() -> None:
    """Closes this process's memory and environment to other processes of its account: debuggers, /proc/PID/environ.

    Its children are not closed: executing a program opens it again. Raises OSError.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
