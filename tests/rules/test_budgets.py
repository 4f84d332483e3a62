"""Tests which budgets a call is charged to: the contract's table, line by line."""

from collections.abc import Sequence

import pytest
from medconnect.options.v1 import access_pb2

from server.db.identifiers import new_id
from server.identity import Caller, Role
from server.rate_limits.budgets import BY_ADDRESS, BY_USER, FORMS, NAMES, REFUNDED, SHARED, Budget, Budgets
from server.rate_limits.networks import known_networks
from tests.fixtures.proofs import control

ADDRESS = "192.0.2.1"
MINUTE, HOUR = 60, 3600


def a_caller(role: Role) -> Caller:
    return Caller(new_id(), role, new_id())


def numbers(budgets: Sequence[Budget]) -> dict[str, tuple[int, float, str]]:
    return {limit.name: (limit.tokens, limit.period, key) for limit, key in budgets}


@pytest.mark.parametrize(
    ("role", "tokens"), [(Role.ADMIN, 100), (Role.DOCTOR, 50), (Role.PHARMACIST, 30), (Role.PATIENT, 20)]
)
def test_signed_in_caller_is_charged_by_role_not_by_address(role: Role, tokens: int) -> None:
    caller = a_caller(role)
    assert numbers(Budgets({}).of(caller, "", ADDRESS)) == {role.value: (tokens, MINUTE, str(caller.user_id))}


def test_anonymous_caller_is_charged_by_address() -> None:
    assert numbers(Budgets({}).of(None, "", ADDRESS)) == {
        "global": (100, 15 * MINUTE, ADDRESS),
        "anonymous": (10, MINUTE, ADDRESS),
    }


@pytest.mark.parametrize(
    ("group", "tokens", "period"),
    [("login", 5, 15 * MINUTE), ("password_reset", 3, HOUR), ("registration", 3, HOUR), ("otp", 3, 5 * MINUTE)],
)
def test_public_methods_are_charged_by_address_for_any_caller(group: str, tokens: int, period: float) -> None:
    for caller in (None, a_caller(Role.PATIENT)):
        by_address = [(limit, key) for limit, key in Budgets({}).of(caller, group, ADDRESS) if key == ADDRESS]
        assert numbers(by_address)[group] == (tokens, period, ADDRESS)


@pytest.mark.parametrize(
    ("group", "tokens", "period"),
    [
        ("otp", 3, 5 * MINUTE),
        ("prescription_creation", 10, MINUTE),
        ("scan", 20, MINUTE),
        ("pharmacy", 15, MINUTE),
        ("email", 5, MINUTE),
        ("medical_history", 10, MINUTE),
        ("events", 30, MINUTE),
    ],
)
def test_an_activity_is_charged_to_its_user(group: str, tokens: int, period: float) -> None:
    caller = a_caller(Role.DOCTOR)
    mine = [(limit, key) for limit, key in Budgets({}).of(caller, group, ADDRESS) if key == str(caller.user_id)]
    assert numbers(mine)[group] == (tokens, period, str(caller.user_id))
    assert numbers(mine).keys() == {group, "doctor"}


def test_activity_charges_anonymous_caller_only_by_address() -> None:
    assert numbers(Budgets({}).of(None, "scan", ADDRESS)).keys() == {"global", "anonymous"}


def test_override_sets_number_and_factor_multiplies_all() -> None:
    budgets = Budgets({"login": 8, "anonymous": 40}, factor=2.5)
    found = {name: tokens for name, (tokens, _, _) in numbers(budgets.of(None, "login", ADDRESS)).items()}
    assert found == {"login": 20, "global": 250, "anonymous": 100}
    assert numbers(Budgets({}, factor=0.001).of(None, "", ADDRESS))["anonymous"][0] == 1


def test_an_override_of_a_limit_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="lgoin"):
        Budgets({"lgoin": 8})


def test_an_override_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="login"):
        Budgets({"login": 0})


@pytest.mark.parametrize(
    ("address", "anonymous", "login"),
    [
        ("10.1.2.3", 500, 250),
        ("10.9.0.7", 20, 10),
        ("11.0.0.1", 10, 5),
        ("2001:db8:1:2::/64", 30, 15),
        ("2001:db9:1:2::/64", 10, 5),
        ("unknown", 10, 5),
    ],
)
def test_a_known_network_multiplies_the_limits_of_its_addresses(address: str, anonymous: int, login: int) -> None:
    networks = known_networks(["10.0.0.0/8:50", "2001:db8::/32:3", "10.9.0.0/16:2"])
    budgets = Budgets({}, networks=networks)
    found = numbers(budgets.of(None, "login", address))
    assert (found["anonymous"][0], found["global"][0], found["login"][0]) == (anonymous, 10 * anonymous, login)
    caller = a_caller(Role.PATIENT)
    assert numbers(budgets.of(caller, "", address)) == {"patient": (20, MINUTE, str(caller.user_id))}


def test_of_group_returns_the_budgets_of_the_group_alone() -> None:
    budgets = Budgets({})
    charged = budgets.of(None, "login", ADDRESS)
    assert numbers(budgets.of_group("login", charged)).keys() == {"login"}


def test_refunded_groups_have_a_budget_by_address() -> None:
    assert {"login"} == REFUNDED
    assert BY_ADDRESS.keys() - REFUNDED - {"otp"} >= FORMS


def test_every_group_that_the_protos_name_has_a_budget() -> None:
    groups = {name.removeprefix("LIMIT_GROUP_").lower() for name in access_pb2.LimitGroup.keys()}  # noqa: SIM118
    assert groups - {"unspecified", "refresh"} == BY_ADDRESS.keys() | BY_USER.keys()
    assert set(Role) <= NAMES
    assert Budgets({}).limits().keys() == NAMES


def test_limits_on_guessing_are_shared_by_all_processes() -> None:
    of_addresses = {"login", "password_reset", "forgot_password", "registration", "otp"}
    assert {*of_addresses, "lookup_misses", "confirmation"} == SHARED


@control("S65")
def test_ipv6_is_charged_by_the_48_too() -> None:
    charged = Budgets({}).of(None, "login", "2001:db8:1:2::/64")
    assert [(limit.name, limit.tokens, limit.period, key) for limit, key in charged] == [
        ("login", 80, 900, "2001:db8:1::/48"),
        ("global", 1600, 900, "2001:db8:1::/48"),
        ("anonymous", 160, 60, "2001:db8:1::/48"),
        ("login", 5, 900, "2001:db8:1:2::/64"),
        ("global", 100, 900, "2001:db8:1:2::/64"),
        ("anonymous", 10, 60, "2001:db8:1:2::/64"),
    ]
    assert {key for _, key in Budgets({}).of(None, "login", "192.0.2.1")} == {"192.0.2.1"}
    assert {key for _, key in Budgets({}).of(None, "login", "unknown")} == {"unknown"}


def test_a_known_network_multiplies_its_48_too() -> None:
    networks = known_networks(["2001:db8::/32:10"])
    charged = Budgets({}, networks=networks).of(None, "login", "2001:db8:1:2::/64")
    assert [limit.tokens for limit, _ in charged if limit.name == "login"] == [800, 50]


def test_successful_sign_in_refunds_the_charge_of_its_48() -> None:
    budgets = Budgets({})
    charged = budgets.of(None, "login", "2001:db8:1:2::/64")
    returned = [key for _, key in budgets.of_group("login", charged)]
    assert returned == ["2001:db8:1::/48", "2001:db8:1:2::/64"]
