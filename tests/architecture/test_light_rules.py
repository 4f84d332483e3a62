"""The tests of rules load neither gRPC nor a database driver, so that they run in two seconds."""

import subprocess
import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
FORBIDDEN: Final = ("grpc", "sqlalchemy", "asyncpg", "redis", "alembic")
IMPORTING: Final = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(sys.modules))
"""


def loaded(*modules: str) -> set[str]:
    """Returns the forbidden packages that a new process has loaded after it imported these modules."""
    command = [sys.executable, "-c", IMPORTING, *modules]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=True)
    return set(done.stdout.split()) & set(FORBIDDEN)


def test_tests_of_rules_load_no_grpc_and_no_database() -> None:
    modules = [f"tests.rules.{path.stem}" for path in sorted((TESTS / "rules").glob("test_*.py"))]
    assert len(modules) > 20
    assert loaded("tests.conftest", *modules) == set()


def test_a_module_that_loads_them_is_found() -> None:
    assert loaded("server.runtime.work") >= {"sqlalchemy", "asyncpg"}
