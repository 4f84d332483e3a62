"""No crash writes the memory of a process, with its keys and patient data, to a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOW = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)"
FORBID = "from server.supervision import core_dumps; core_dumps.forbid()"
CRASH = "import os; os.abort()"
GET_DUMPABLE = 3  # linux/prctl.h


@pytest.mark.parametrize(
    "crash", [CRASH, "import os, sys; os.execv(sys.executable, ['python', '-c', 'import os; os.abort()'])"]
)
def test_a_crash_after_dumps_were_forbidden_writes_none(tmp_path: Path, crash: str) -> None:
    assert dumped(tmp_path, ALLOW, FORBID, crash) is False
    assert list(tmp_path.iterdir()) == []


def dumped(folder: Path, *lines: str) -> bool:
    """Returns whether the kernel reports that a program dumped its memory as it ended."""
    code = "\n".join([f"import os, sys; os.chdir({str(folder)!r})", *lines])
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], {"PYTHONPATH": str(ROOT)})
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


def test_closed_memory_is_not_dumpable() -> None:
    show = f"import ctypes; print(ctypes.CDLL(None).prctl({GET_DUMPABLE}, 0, 0, 0, 0))"
    close = "from server.supervision import core_dumps; core_dumps.close_memory()"
    command = [sys.executable, "-c", f"{show}\n{close}\n{show}"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.split() == [b"1", b"0"]
