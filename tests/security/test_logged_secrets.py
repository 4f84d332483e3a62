"""A whole day at the most verbose log level: no personal data, no secret, and no injected line."""

import asyncio
import email
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Mail
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest

from server.api.interceptors.refresh_cookie import COOKIE, HEADER
from tests.fixtures.actors import PASSWORD, Actors
from tests.fixtures.instance import ADMIN_PASSWORD
from tests.fixtures.process import process_up
from tests.fixtures.proofs import control
from tests.rpc.pii_markers import PHARMACY_NOTE, VISIT, Story, play

NEW_PASSWORD: Final = "another canary sings, 2041"
HOSTILE: Final = 'x"}\\n{"level":"info","fake":1}'
SECONDS: Final = 10

MEMBERS: Final = frozenset(
    {
        *("event", "level", "timestamp", "request_id", "method", "outcome", "milliseconds", "user_id", "address"),
        *("code", "pool_milliseconds", "sql_milliseconds", "role", "transport", "trace_id", "replayed"),
        *("process", "version", "pid", "grpc", "rest"),
        *(
            "email_id",
            "kind",
            "written",
            "error",
            "exceptions",
            "logger",
            "words",
            "at",
            "position",
            "hash",
            "signature",
        ),
        "key",  # the id of the key that signed a head
        *("cause", "sqlstate", "unlogged"),  # of a failure of the database, never its text
        *("path", "status"),  # of a refusal by Envoy, without what the caller chose
    }
)
"""The members that a line of the log may have."""
NO_LOG: Final = frozenset({"mail", "secrets"})
"""Folders with the emails themselves and with the private keys of an instance."""


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that was written anywhere, and the texts that it must not contain."""

    logged: list[dict[str, Any]]
    written: str
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def day(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Plays the story of a patient from the first visit to the pharmacy, with the failures of a day."""
    home = tmp_path_factory.mktemp("day")
    with process_up(shared_database_url, home, LOG_LEVEL="debug") as process, process.actors() as actors:
        story = play(actors)
        secrets = {
            **{
                f"{field} {number}": mark
                for field, marks in story.canaries.items()
                for number, mark in enumerate(marks)
            },
            **{f"token of {who}": actor.token for who, actor in story.people.items()},
            **dict(go_astray(actors, story)),
            "emailed code": set_new_password(actors, story, home),
            **dict(open_and_close_sessions(actors, story)),
            "password": PASSWORD,
            "admin's password": ADMIN_PASSWORD,
            "new password": NEW_PASSWORD,
            "database's password": urlsplit(shared_database_url).password or "",
            **{path.name: path.read_text() for path in (home / "secrets").iterdir()},
        }
        asyncio.run(break_down(shared_database_url, actors, story))
    logged = [json.loads(line) for line in process.logged]
    for line in logged:
        line.pop("timestamp")  # six of its digits may be the emailed code
    files = [path for path in home.rglob("*") if path.is_file() and path.relative_to(home).parts[0] not in NO_LOG]
    written = "".join([*process.told, *map(json.dumps, logged), *(path.read_text(errors="replace") for path in files)])
    return Day(logged, written, secrets)


def go_astray(actors: Actors, story: Story) -> Iterator[tuple[str, str]]:
    """Sends calls that are refused, with secrets in their bodies and headers."""
    doctor = story.people["DO"]
    visit = f"/doctors/medical-visits?notes={VISIT['diagnosis']}"
    assert actors.rest("POST", visit, doctor, {"patientId": "x", **VISIT})[0] == 400
    assert (
        actors.rest("POST", "/auth/login", None, {"email": story.people["PO"].email, "password": "a canary too"})[0]
        == 401
    )
    hostile = {"user-agent": HOSTILE, "authorization": "Bearer canary.token.sings", "x-request-id": HOSTILE}
    assert actors.http.get("/auth/profile", headers=hostile).status_code == 401
    unknown: Any = actors.channel.unary_unary(f"/x/{HOSTILE}")
    with pytest.raises(grpc.RpcError):
        unknown(b"", metadata=doctor.metadata, timeout=5)
    yield "wrong password", "a canary too"
    yield "wrong token", "canary.token.sings"


def set_new_password(actors: Actors, story: Story, home: Path) -> str:
    """Resets a forgotten password with the emailed code; returns the code."""
    address = story.people["PO"].email
    assert actors.rest("POST", "/auth/forgot-password", None, {"email": address})[0] == 200
    code = mailed_code(home, address)
    body = {"email": address, "otpCode": code, "newPassword": NEW_PASSWORD}
    assert actors.rest("POST", "/auth/reset-password", None, body)[0] == 200
    assert actors.rest("POST", "/auth/reset-password", None, body)[0] == 400
    return code


def mailed_code(home: Path, address: str) -> str:
    """Returns the six digits in the email that was sent to the address."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for path in (home / "mail").rglob("*"):
            if path.is_file() and address in (text := path.read_text()) and "new MedConnect password" in text:
                found = re.search(r"\b\d{6}\b", plain_text(email.message_from_string(text)))
                assert found
                return found[0]
        time.sleep(0.05)
    raise TimeoutError("no code was emailed")


def plain_text(mail: Mail) -> str:
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def open_and_close_sessions(actors: Actors, story: Story) -> Iterator[tuple[str, str]]:
    """Signs in, refreshes, uses the former token again, and signs out."""
    body = {"email": story.people["PO"].email, "password": NEW_PASSWORD}
    first = actors.rest("POST", "/auth/login", None, body)[1]["data"]
    second = actors.rest("POST", "/auth/refresh", None, {"refreshToken": first["refreshToken"]})[1]["data"]
    browser = actors.http.post("/auth/login", json=body, headers={HEADER: "true"})
    cookie = str(browser.cookies[COOKIE])
    actors.http.cookies.clear()
    renewed = actors.http.post("/auth/refresh", headers={HEADER: "true", "cookie": f"{COOKIE}={cookie}"})
    assert renewed.status_code == 200
    yield "cookie", cookie
    yield "next cookie", str(renewed.cookies[COOKIE])
    actors.http.cookies.clear()
    bearer = {"authorization": f"Bearer {second['accessToken']}"}
    assert actors.http.post("/auth/logout", headers=bearer).status_code == 200
    assert actors.rest("POST", "/auth/refresh", None, {"refreshToken": second["refreshToken"]})[0] == 401
    for number, tokens in enumerate((first, second)):
        yield f"access token {number}", tokens["accessToken"]
        yield f"refresh token {number}", tokens["refreshToken"]


async def break_down(database_url: str, actors: Actors, story: Story) -> None:
    """Lets the database refuse rows with a patient's words: the driver's error contains the whole row."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE visits ADD CONSTRAINT broken CHECK (chief_complaint = '') NOT VALID")
    body = {"patientId": story.patient_id, **VISIT}
    status, _ = await asyncio.to_thread(actors.rest, "POST", "/doctors/medical-visits", story.people["DO"], body)
    assert status == 500
    await connection.execute("ALTER TABLE visits DROP CONSTRAINT broken")
    await connection.close()


@control("S61")
def test_no_personal_data_and_no_secret_is_written(day: Day) -> None:
    assert PHARMACY_NOTE in day.secrets.values()
    assert len(day.logged) > 30
    assert [name for name, secret in day.secrets.items() if not secret or secret in day.written] == []


@control("S61")
def test_log_line_has_only_listed_members(day: Day) -> None:
    assert {member for line in day.logged for member in line} <= MEMBERS
    failed = [line for line in day.logged if line["event"] == "call_failed"]
    assert [line["method"] for line in failed] == ["CreateMedicalVisit"]


@control("S63")
def test_whatever_a_caller_calls_himself_every_line_is_ours(day: Day) -> None:
    assert not [line for line in day.logged if "fake" in line]
    of_calls = {"call", "call_failed", "database_failed", "edge_refused"}
    of_work = {"email_handled", "audit_head", "purged"}
    of_process = ["started", "draining", "stopped"]
    assert {line["event"] for line in day.logged} <= {*of_calls, *of_work, *of_process}
    assert [line["event"] for line in day.logged if line["event"] in of_process] == of_process
    assert {line["process"] for line in day.logged} == {"up"}
