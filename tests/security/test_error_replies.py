"""Every error of the RPC, REST and edge tests is searched for words that reveal internals."""

from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest

from tests.fixtures.leak_detector import assert_reveals_nothing
from tests.fixtures.proofs import control
from tests.rpc.calls import refusal, rest_answer

REVEALING = [
    'Traceback (most recent call last):\n  File "x", line 1',
    "sqlalchemy.exc.DBAPIError: something",
    "asyncpg.exceptions.NotNullViolationError",
    "Error parsing 'medconnect.auth.v1.LoginRequest'",
    "[SQL: SELECT users.id FROM users]",
    "/app/.venv/lib/python3.11/site-packages/grpc",
    "in server/runtime/server.py line 3",
    "could not connect to postgresql://medconnect:hunter2@db/medconnect",
    "could not connect to postgres://db",
    "Unexpected <class 'ValueError'>: x",
]
"""Wording of raw grpc.aio, a driver or an interpreter."""


def refused(text: str, **trailing: str) -> Any:
    """Returns a failed call as the client library reports it."""
    return SimpleNamespace(
        code=lambda: grpc.StatusCode.UNKNOWN, details=lambda: text, trailing_metadata=lambda: tuple(trailing.items())
    )


@control("S62")
@pytest.mark.parametrize("text", REVEALING)
def test_error_that_reveals_internals_is_found(text: str) -> None:
    error = {"message": text, "statusCode": 500, "type": "INTERNAL", "requestId": "1", "details": []}
    rest = httpx.Response(500, json={"success": False, "error": error}, headers={"x-request-id": "1"})
    found = pytest.raises(AssertionError, match="an error reply tells of")
    with found:
        refusal(refused(text))
    with found:
        refusal(refused("", x=text))
    with found:
        rest_answer(rest)


@control("S62")
def test_what_the_server_says_itself_is_not_found() -> None:
    for text in ("Internal error.", "items[0].quantity must be at least 1", "There is no such path.", "Select an item"):
        assert_reveals_nothing(text)
