"""Which budgets a call is charged to: the contract's table."""

from collections.abc import Mapping, Sequence
from typing import Final

from server.identity import Caller
from server.rate_limits.bucket import Limit

MINUTE: Final = 60.0
HOUR: Final = 3600.0

BY_ADDRESS: Final = {
    "login": Limit("login", 5, 15 * MINUTE),
    "password_reset": Limit("password_reset", 3, HOUR),
    "forgot_password": Limit("forgot_password", 3, HOUR),
    "registration": Limit("registration", 3, HOUR),
    "otp": Limit("otp", 3, 5 * MINUTE),
}
"""Budgets of what strangers may call, kept by address."""

BY_USER: Final = {
    "otp": Limit("otp", 3, 5 * MINUTE),
    "prescription_creation": Limit("prescription_creation", 10, MINUTE),
    "scan": Limit("scan", 20, MINUTE),
    "pharmacy": Limit("pharmacy", 15, MINUTE),
    "email": Limit("email", 5, MINUTE),
    "medical_history": Limit("medical_history", 10, MINUTE),
    "events": Limit("events", 30, MINUTE),
}
"""Budgets of single activities, kept by account."""

CHARGED_TOO: Final = {"forgot_password": "otp"}
"""Groups whose calls count for another's budgets as well."""

ROLES: Final = {
    "admin": Limit("admin", 100, MINUTE),
    "doctor": Limit("doctor", 50, MINUTE),
    "pharmacist": Limit("pharmacist", 30, MINUTE),
    "patient": Limit("patient", 20, MINUTE),
}
"""What an account may call in all, by its role."""

GLOBAL: Final = Limit("global", 100, 15 * MINUTE)
ANONYMOUS: Final = Limit("anonymous", 10, MINUTE)
"""What an address may call without a valid token."""

NAMES: Final = frozenset({*BY_ADDRESS, *BY_USER, *ROLES, GLOBAL.name, ANONYMOUS.name})

Budget = tuple[Limit, str]
"""A limit and the key of the bucket."""


class Budgets:
    """The table with this instance's numbers.

    overrides: tokens by name of limit; factor: multiplies every limit (load tests).
    Raises ValueError for an unknown name.
    """

    def __init__(self, overrides: Mapping[str, int], factor: float = 1) -> None:
        if unknown := sorted(overrides.keys() - NAMES):
            raise ValueError(f"RATE_LIMITS names no limit: {', '.join(unknown)}")
        self._overrides = overrides
        self._factor = factor
        self._by_address = self._configured(BY_ADDRESS)
        self._by_user = self._configured(BY_USER)
        self._roles = self._configured(ROLES)
        self._global = self._limit(GLOBAL)
        self._anonymous = self._limit(ANONYMOUS)

    def of(self, caller: Caller | None, group: str, address: str) -> Sequence[Budget]:
        """The budgets of a call: those of its caller, or of its address without one, and those of its group."""
        groups = [group, CHARGED_TOO[group]] if group in CHARGED_TOO else [group]
        budgets: list[Budget] = [(self._by_address[name], address) for name in groups if name in self._by_address]
        if caller is None:
            return [*budgets, (self._global, address), (self._anonymous, address)]
        user = str(caller.user_id)
        budgets += [(self._by_user[name], user) for name in groups if name in self._by_user]
        budgets.append((self._roles[caller.role], user))
        return budgets

    def returned_on_success(self, group: str, budgets: Sequence[Budget]) -> Sequence[Budget]:
        """What a successful call gets back: a sign-in its own budget, a refresh all (only unknown tokens cost)."""
        if group == "refresh":
            return budgets
        if group == "login":
            return [budget for budget in budgets if budget[0].name == group]
        return ()

    def _configured(self, limits: Mapping[str, Limit]) -> dict[str, Limit]:
        return {name: self._limit(limit) for name, limit in limits.items()}

    def _limit(self, limit: Limit) -> Limit:
        tokens = self._overrides.get(limit.name, limit.tokens)
        return Limit(limit.name, tokens, limit.period).scaled(self._factor)
