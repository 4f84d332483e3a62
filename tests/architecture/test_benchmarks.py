"""The benchmarks run; a test does not check their measurements."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.report import TARGETS

ROOT = Path(__file__).parents[2]


async def test_a_short_run_measures_every_call_against_every_baseline() -> None:
    command = [sys.executable, "-m", "benchmarks", "--seconds", "0.1", "--rounds", "1"]
    run = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stderr
    rows = {
        name: cells for name, *cells in re.findall(r"^\| (\w+) \| (\d+) \| ([\d,]+) \| ([\d,]+) \| ", run.stdout, re.M)
    }
    assert rows.keys() == TARGETS.keys()
    assert all(1 <= int(statements) <= 7 for statements, *_ in rows.values())
    assert all(int(baseline.replace(",", "")) > 0 for _, *baselines in rows.values() for baseline in baselines)
    assert all(f"| {name} ÷ F1 | " in run.stdout for name in TARGETS)
