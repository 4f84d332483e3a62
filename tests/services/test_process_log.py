"""Tests the log of a separate process."""

import json
import subprocess
import sys


def test_a_process_writes_its_log_to_standard_error_only() -> None:
    program = (
        "from server import logs; import structlog; logs.configure('warning'); structlog.get_logger().warning('x')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert json.loads(ended.stderr)["event"] == "x"
