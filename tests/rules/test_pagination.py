"""Tests page tokens: each continues only the list that it was issued for."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from server.errors import PageTokenInvalid
from server.pagination import BY_MOMENT, CursorValue, PageTokens

TOKENS = PageTokens(b"k" * 32)
SCOPE = "caller 1|ListPrescriptions|status=pending"
CURSOR: tuple[CursorValue, ...] = ("2026-11-22", 7, True, None, 'é"\\')
TOKEN = TOKENS.issue(CURSOR, SCOPE)
RELEASED = (
    "-JPkrnIJi3Rj2EPZhuI4CFsiMjAyNi0xMS0yMlQxMDozMDowMC4xMjM0NTYrMDA6MDAiLCIwMTkzMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDA"
    "wMGMiXQ"
)
"""A token as the first release issued it."""


def refused(token: str, scope: str = SCOPE, tokens: PageTokens = TOKENS) -> bool:
    try:
        tokens.read(token, scope)
    except PageTokenInvalid:
        return True
    return False


def test_a_token_gives_its_cursor_back() -> None:
    assert TOKENS.read(TOKEN, SCOPE) == CURSOR
    assert TOKENS.read(TOKENS.issue((), SCOPE), SCOPE) == ()


@pytest.mark.parametrize("offset", [UTC, timezone(timedelta(hours=5, minutes=30))], ids=str)
def test_cursor_by_moment_keeps_microseconds_and_offset(offset: timezone) -> None:
    moment = datetime(2026, 11, 22, 10, 30, 0, 123_456, tzinfo=offset)
    key = moment, UUID("01930000-0000-7000-8000-000000000001")
    read = BY_MOMENT.read(*BY_MOMENT.write(key))
    assert read == key
    assert read[0].utcoffset() == moment.utcoffset()


def test_token_equals_released_one() -> None:
    cursor = BY_MOMENT.write(
        (datetime(2026, 11, 22, 10, 30, 0, 123_456, tzinfo=UTC), UUID("01930000-0000-7000-8000-00000000000c"))
    )
    issued = PageTokens(bytes(32)).issue(cursor, "01930000-0000-7000-8000-00000000000a|ListUsers|None|None|None")
    assert issued == RELEASED


def test_a_token_is_safe_in_a_url() -> None:
    assert set(TOKEN) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_another_caller_list_or_filter_is_refused() -> None:
    assert refused(TOKEN, "caller 2|ListPrescriptions|status=pending")
    assert refused(TOKEN, "caller 1|ListPrescriptions|status=scanned")
    assert refused(TOKEN, "")


def test_a_token_of_another_key_is_refused() -> None:
    assert refused(TOKEN, tokens=PageTokens(b"o" * 32))


def test_every_edited_character_is_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .é\0"
    edits = [
        TOKEN[:index] + other + TOKEN[index + 1 :]
        for index in range(len(TOKEN))
        for other in alphabet
        if other != TOKEN[index]
    ]
    assert [token for token in edits if not refused(token)] == []


def test_every_cut_and_addition_is_refused() -> None:
    cuts = [TOKEN[:length] for length in range(len(TOKEN))] + [TOKEN[start:] for start in range(1, len(TOKEN))]
    additions = [TOKEN + addition for addition in ("A", "AA", "AAAA", "=", "==", "\n", " ")]
    assert [token for token in cuts + additions if not refused(token)] == []


def test_a_payload_without_its_seal_is_refused() -> None:
    forged = base64.urlsafe_b64encode(bytes(16) + b'["2026-11-22",7]').decode().rstrip("=")
    assert refused(forged)


@pytest.mark.parametrize("token", ["", " ", "0", "abc", "A" * 10_240, "\ud800" * 30, "null", "%00"], ids=ascii)
def test_nonsense_is_refused(token: str) -> None:
    assert refused(token)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PageTokens(b"short")
