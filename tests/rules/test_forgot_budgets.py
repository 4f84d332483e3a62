"""Tests that password reset requests have a budget apart from the requests of signed-in accounts."""

from server.db.identifiers import new_id
from server.identity import Caller, Role
from server.rate_limits.budgets import Budgets
from tests.fixtures.proofs import control

ADDRESS = "192.0.2.1"


def test_forgot_password_is_charged_by_address() -> None:
    charged = Budgets({}).of(None, "forgot_password", ADDRESS)
    assert {(limit.name, limit.tokens, limit.period, key) for limit, key in charged} == {
        ("forgot_password", 3, 3600, ADDRESS),
        ("global", 100, 900, ADDRESS),
        ("anonymous", 10, 60, ADDRESS),
    }


@control("S91")
def test_reset_request_leaves_codes_of_signed_in_account() -> None:
    caller = Caller(new_id(), Role.PATIENT, new_id())
    names = [limit.name for limit, _ in Budgets({}).of(caller, "forgot_password", ADDRESS)]
    assert names == ["forgot_password", "patient"]
    asked = [(limit.name, key) for limit, key in Budgets({}).of(caller, "otp", ADDRESS)]
    assert asked == [("otp", ADDRESS), ("otp", str(caller.user_id)), ("patient", str(caller.user_id))]


def test_asking_and_setting_have_a_budget_each() -> None:
    asking, setting = (
        {limit.name for limit, _ in Budgets({}).of(None, group, ADDRESS)}
        for group in ("forgot_password", "password_reset")
    )
    assert asking & setting == {"global", "anonymous"}
