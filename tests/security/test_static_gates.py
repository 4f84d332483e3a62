"""The linter and the conventions of tests/architecture reject source that leads to injection."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.proofs import control

ROOT: Final = Path(__file__).parents[2]

SEEDED: Final = {
    "S608": 'def f(x):\n    return "SELECT * FROM users WHERE id = " + x\n',
    "S301": "import pickle\n\n\ndef f(x):\n    return pickle.loads(x)\n",
    "S307": "def f(x):\n    return eval(x)\n",
    "S102": "def f(x):\n    exec(x)\n",
    "S506": "import yaml\n\n\ndef f(x):\n    return yaml.load(x)\n",
    "S501": "import httpx\n\n\ndef f(x):\n    return httpx.get(x, verify=False)\n",
    "S311": "import random\n\n\ndef f():\n    return random.random()\n",
    "S324": "import hashlib\n\n\ndef f(x):\n    return hashlib.md5(x)\n",
    "S602": "import subprocess\n\n\ndef f(x):\n    subprocess.run(x, shell=True)\n",
    "S701": "import jinja2\n\nTEMPLATES = jinja2.Environment()\n",
}
"""Returns the faults of a server file by ruff's rules (bandit's)."""


@control("S80")
@pytest.mark.parametrize("rule", SEEDED)
def test_a_seeded_fault_does_not_pass_the_linter(rule: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--stdin-filename"]
    judged = subprocess.run(
        [*command, "server/seeded.py", "-"], input=SEEDED[rule], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert judged.returncode == 1
    assert f" {rule} " in judged.stdout
