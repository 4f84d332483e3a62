"""Tests which new passwords are rejected, and with which reason."""

import gzip

import pytest

from server.auth.rules import passwords
from server.auth.rules.passwords import check_new_password
from server.errors import PasswordBreached, PasswordContext, ValidationFailed
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control

EMAIL, NAME = "maria.silva@example.org", "Maria da Silva-Örnsköld"


@control("S5")
def test_list_has_ten_thousand_passwords_of_valid_length() -> None:
    words = gzip.decompress(passwords._COMMON.read_bytes()).decode().split("\n")
    assert len([word for word in words if len(word) >= passwords.MIN_LENGTH]) > 10_000
    assert words == sorted(set(words), key=lambda word: (word == "", word))
    assert all(word == passwords._fold_text(word) for word in words)


@control("S5")
@cells(
    "password",
    [
        "password",
        "PassWord1",
        "iloveyou",
        "sunshine",
        "passwordpassword",
        "qwertyqwertyqwerty",
        "123456789012345",
        "0987654321098",
        "qwertyuiopasdfgh",
        "poiuytrewq",
        "abcdefghijklmnop",
        "1111111111111",
        "AAAAAAAAAAAAAAAA",
        "123123123123123",
        "qweQWEqwe",
        "ｐａｓｓｗｏｒｄ１",
    ],
)
def test_most_common_passwords_are_rejected_as_breached(password: str) -> None:
    with pytest.raises(PasswordBreached) as refused:
        check_new_password(password, EMAIL, NAME, field="newPassword")
    assert [violation.field for violation in refused.value.violations] == ["newPassword"]


@control("S5")
@cells(
    "password",
    [
        "medconnect2026!!",
        "MyHospital-99",
        "prescripto now",
        "maria.silvamaria.silva123",
        "x maria.silva@example.org",
        "hello MARIA 7",
        "SILVA-ÖRNSKÖLD 7",
        "silva-o\u0308rnsko\u0308ld 7",
        "my Maria.Silva@Example.org!",
    ],
)
def test_words_of_the_account_are_rejected_as_context(password: str) -> None:
    with pytest.raises(PasswordContext):
        check_new_password(password, EMAIL, NAME)


@pytest.mark.parametrize(
    "password",
    ["qwhgzjkl", "da capo al fine", "12 ☕ 34 ☕", "silvan woods 12", "qwhgzjkl" * 16, "🔑 ключ 鍵 مفتاح"],
)
def test_uncommon_password_is_accepted(password: str) -> None:
    check_new_password(password, "da@example.org", "Da Li")


@pytest.mark.parametrize("password", ["", "seven77", "x" * 129])
def test_the_length_is_judged_in_characters(password: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_new_password(password, EMAIL)
    assert type(refused.value) is ValidationFailed
