"""Tests how addresses are masked for readers who do not need them."""

import pytest

from server.outbox.masking import masked, without_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("maria@example.org", "m***@example.org"),
        ("m@example.org", "m***@example.org"),
        ('"a b@c"@example.org', '"***@example.org'),
    ],
)
def test_masked_address_shows_first_character_and_domain(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_server_reply_is_masked_in_every_spelling_of_the_address() -> None:
    answer = "550 5.1.1 <Maria@Example.org>: no such user; maria@example.org is unknown"
    assert without_address(answer, "maria@example.org") == (
        "550 5.1.1 <m***@example.org>: no such user; m***@example.org is unknown"
    )
    assert without_address("451 later", "maria@example.org") == "451 later"
