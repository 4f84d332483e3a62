"""The house's conventions hold, and each check finds an offender."""

import pytest

from tests.architecture.conventions import (
    CONVENTIONS,
    LONGEST_FILE,
    Convention,
    hand_written_files,
    server_files,
    too_long,
)
from tests.fixtures.proofs import control

OFFENDERS = {
    "abort": ["await context.abort(code, 'x')", "self.context.abort_with_status(status)"],
    "commit": ["await connection.commit()", "session.commit()"],
    "environment": ["x = os.environ['X']", "os.getenv('X')", "from os import environ", "os.environ.get('X')"],
    "time": [
        "datetime.now(UTC)",
        "now = datetime.utcnow",
        "date.today()",
        "time.time()",
        "time.time_ns()",
        "from time import time",
    ],
    "randomness": ["import random", "from random import choice"],
    "lost cancellation": ["await asyncio.wait_for(event.wait(), 1)", "from asyncio import wait_for"],
    "glued SQL": [
        "text(f'SELECT {x}')",
        "sqlalchemy.text('SELECT %s' % x)",
        "text('SELECT ' + x)",
        "text('SELECT {}'.format(x))",
        "connection.exec_driver_sql(f'DROP TABLE {x}')",
    ],
    "data that runs": [
        "eval(x)",
        "exec(x)",
        "import pickle",
        "from marshal import loads",
        "yaml.load(x)",
        "os.system(x)",
    ],
    "blind trust": [
        "httpx.get(url, verify=False)",
        "jwt.decode(x, options={'verify_signature': False})",
        "context.check_hostname = False",
        "context.verify_mode = ssl.CERT_NONE",
        "ssl._create_unverified_context()",
    ],
}
INNOCENTS = {
    "abort": ["abort(x)", "'context.abort()'"],
    "commit": ["commit = 1", "# connection.commit()"],
    "environment": ["environ = {}", "os.path.join('a')"],
    "time": ["clock.now()", "time.monotonic()", "datetime.fromisoformat(x)"],
    "randomness": ["import secrets", "random = secrets.randbits(74)"],
    "lost cancellation": ["async with asyncio.timeout(1): pass", "await asyncio.wait(tasks)"],
    "glued SQL": ["text('SELECT :x')", "text(f'SELECT {LIMIT}')", "log(f'{x}')", "text(STATEMENT)"],
    "data that runs": ["model.evaluate(x)", "re.compile(x)", "json.loads(x)", "yaml.safe_load(x)"],
    "blind trust": ["httpx.get(url, verify=True)", "verify = False", "context.verify_mode = ssl.CERT_REQUIRED"],
}


def by_name(convention: Convention) -> str:
    return convention.name


@control("S80")
@pytest.mark.parametrize("convention", CONVENTIONS, ids=by_name)
def test_the_server_keeps_it(convention: Convention) -> None:
    offences = [line for path, source in server_files() for line in convention.offences(path, source)]
    assert not offences, "\n".join(offences)


@control("S80")
@pytest.mark.parametrize("convention", CONVENTIONS, ids=by_name)
def test_every_offender_is_found_and_told_what_to_do(convention: Convention) -> None:
    for offender in OFFENDERS[convention.name]:
        source = f"async def f():\n    {offender}\n"
        assert convention.offences("x/service.py", source) == [f"x/service.py:2: {convention.explanation}"]


@pytest.mark.parametrize("convention", CONVENTIONS, ids=by_name)
def test_nobody_else_is_accused(convention: Convention) -> None:
    for innocent in INNOCENTS[convention.name]:
        assert convention.offences("x/service.py", innocent) == []


@pytest.mark.parametrize("convention", CONVENTIONS, ids=by_name)
def test_its_one_place_exists_and_needs_the_exception(convention: Convention) -> None:
    sources = dict(server_files())
    assert convention.place <= sources.keys()
    for path in convention.place:
        assert convention.offences(f"not/{path}", sources[path])


def test_no_hand_written_file_is_too_long() -> None:
    offences = [line for path, source in hand_written_files() for line in too_long(path, source)]
    assert not offences, "\n".join(offences)


def test_a_file_of_one_line_too_many_is_found() -> None:
    assert too_long("x.py", "x\n" * LONGEST_FILE) == []
    assert too_long("x.py", "x\n" * (LONGEST_FILE + 1)) != []


def test_the_checks_see_the_files() -> None:
    paths = dict(server_files()).keys()
    assert {"runtime/server.py", "api/interceptors/base.py", "pharmacy/services/pharmacy.py"} <= paths
    written = dict(hand_written_files()).keys()
    assert {
        "tests/conftest.py",
        "server/edge/envelope.lua",
        "clients/web/js/form.js",
        "clients/web/style.css",
    } <= written
    assert not [path for path in written if "/vendor/" in path]
