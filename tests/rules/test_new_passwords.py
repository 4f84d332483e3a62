"""Which new passwords are accepted."""

import pytest

from server.auth.password_rule import check_new_password
from server.errors import ValidationFailed


@pytest.mark.parametrize(
    "password",
    ["qwhgzjkl", "no digits here", "12 ☕ 34 ☕", "x" * 128, "an annual report"],
)
def test_these_passwords_are_accepted(password: str) -> None:
    check_new_password(password, "ann@example.org")


@pytest.mark.parametrize(
    "password",
    [
        "seven77",
        "x" * 129,
        "annika.b@example.org",
        "my ANNIKA.B@Example.org!",
        "annika.bannika.b123",
        "Annika.B2026",
    ],
)
def test_these_passwords_are_refused_by_the_name_of_their_field(password: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_new_password(password, "Annika.B@example.org")
    assert [violation.field for violation in refused.value.violations] == ["password"]
