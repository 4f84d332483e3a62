"""Addresses for those who need not know them."""

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
def test_of_an_address_the_first_character_and_the_domain_are_shown(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_what_a_server_says_does_not_tell_the_address_however_it_is_written_and_how_often() -> None:
    answer = "550 5.1.1 <Maria@Example.org>: no such user; maria@example.org is unknown"
    assert without_address(answer, "maria@example.org") == (
        "550 5.1.1 <m***@example.org>: no such user; m***@example.org is unknown"
    )
    assert without_address("451 later", "maria@example.org") == "451 later"
