"""The rate limits that a call is charged to, as the contract's table defines them."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from server.identity import Caller
from server.rate_limits.bucket import Limit
from server.rate_limits.networks import KnownNetwork, wider_network

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

BY_ADDRESS: Final = {
    "login": Limit("login", 5, 15 * MINUTE),
    "password_reset": Limit("password_reset", 3, HOUR),
    "forgot_password": Limit("forgot_password", 3, HOUR),
    "registration": Limit("registration", 3, HOUR),
    "otp": Limit("otp", 3, 5 * MINUTE),
}
"""Budgets of calls that need no token, counted by address."""

BY_USER: Final = {
    "otp": Limit("otp", 3, 5 * MINUTE),
    "prescription_creation": Limit("prescription_creation", 10, MINUTE),
    "scan": Limit("scan", 20, MINUTE),
    "pharmacy": Limit("pharmacy", 15, MINUTE),
    "email": Limit("email", 5, MINUTE),
    "medical_history": Limit("medical_history", 10, MINUTE),
    "events": Limit("events", 30, MINUTE),
}
"""Budgets of single activities, counted by account."""

ROLES: Final = {
    "admin": Limit("admin", 100, MINUTE),
    "doctor": Limit("doctor", 50, MINUTE),
    "pharmacist": Limit("pharmacist", 30, MINUTE),
    "patient": Limit("patient", 20, MINUTE),
}
"""The budget of all calls of an account, by its role."""

GLOBAL: Final = Limit("global", 100, 15 * MINUTE)
ANONYMOUS: Final = Limit("anonymous", 10, MINUTE)
"""Calls without a valid token are charged to both GLOBAL and this budget, by address."""

LATER: Final = {
    "refresh": Limit("refresh", 10, MINUTE),
    "lookup_misses": Limit("lookup_misses", 5, MINUTE),
    "confirmation": Limit("confirmation", 5, DAY),
}
"""Budgets that a use case charges once the key is known: a session, a pharmacist who looked up an unknown reference
number, an email address that a user entered as their own."""

REFUNDED: Final = frozenset({"login"})
"""Groups whose successful calls get their own budget's token back: only failures count."""

FORMS: Final = frozenset({"registration", "password_reset", "forgot_password"})
"""Groups whose calls get their own budget's token back if a field is refused by itself: a few typing errors must not
lock a person out for an hour. Such a refusal reads no account and proves no code, and GLOBAL and ANONYMOUS bound it."""

SHARED_LIMITS: Final = (*BY_ADDRESS.values(), LATER["lookup_misses"], LATER["confirmation"])
"""Limits that apply across all processes and refuse calls if they cannot be evaluated: they slow guessing down."""
SHARED: Final = frozenset(limit.name for limit in SHARED_LIMITS)

WIDER: Final = 16
"""A /48 of IPv6 has this many times the tokens of one address (a /64): its owner has 65,536 of those."""

NAMES: Final = frozenset({*BY_ADDRESS, *BY_USER, *ROLES, *LATER, GLOBAL.name, ANONYMOUS.name})

Budget = tuple[Limit, str]
"""A limit and the key of its bucket."""


@dataclass(frozen=True, slots=True)
class AddressLimits:
    """The limits of the calls from an address."""

    of_group: Mapping[str, Limit]
    without_token: Sequence[Limit]

    def budgets(self, group: str, address: str, *, stranger: bool) -> list[Budget]:
        """Returns the budgets by address of a call of the group; stranger: the call has no valid token."""
        limits = [self.of_group[group]] if group in self.of_group else []
        if stranger:
            limits += self.without_token
        wider = wider_network(address) if limits else None
        of_many = [] if wider is None else [(limit.scaled(WIDER), wider) for limit in limits]
        return of_many + [(limit, address) for limit in limits]


class Budgets:
    """The table of limits with this instance's numbers.

    overrides: tokens by name of limit; factor: multiplies every limit (load tests); networks: multiply the limits of
    their addresses; the first network that contains an address applies. Raises ValueError for an unknown name.
    """

    def __init__(self, overrides: Mapping[str, int], factor: float = 1, networks: Sequence[KnownNetwork] = ()) -> None:
        if unknown := sorted(overrides.keys() - NAMES):
            raise ValueError(f"RATE_LIMITS names no limit: {', '.join(unknown)}")
        self._overrides = overrides
        self._factor = factor
        self._by_user = self._scale_limits(BY_USER)
        self._roles = self._scale_limits(ROLES)
        self._later = self._scale_limits(LATER)
        self._anywhere = self._address_limits(1)
        self._networks = [(known, self._address_limits(known.factor)) for known in networks]
        self._in_network = lru_cache(maxsize=4096)(self._find_network)

    def of(self, caller: Caller | None, group: str, address: str) -> Sequence[Budget]:
        """Returns the budgets of a call: those of its caller, or of its address if it has none, and of its group."""
        if caller is not None and group not in BY_ADDRESS:
            return self._of_user(caller, group)
        limits = self._in_network(address) if self._networks else self._anywhere
        budgets = limits.budgets(group, address, stranger=caller is None)
        return budgets if caller is None else budgets + self._of_user(caller, group)

    def _of_user(self, caller: Caller, group: str) -> list[Budget]:
        role = (self._roles[caller.role], caller.account)
        limit = self._by_user.get(group)
        return [role] if limit is None else [(limit, caller.account), role]

    def limit_named(self, name: str) -> Limit:
        """Returns a limit that a use case charges."""
        return self._later[name]

    @staticmethod
    def of_group(group: str, budgets: Sequence[Budget]) -> Sequence[Budget]:
        """Returns those of a call's budgets that belong to its group."""
        return [budget for budget in budgets if budget[0].name == group]

    def limits(self) -> Mapping[str, Limit]:
        """Returns every limit by its name, as it applies outside known networks."""
        by_address = {**self._anywhere.of_group, **{limit.name: limit for limit in self._anywhere.without_token}}
        roles = {limit.name: limit for limit in self._roles.values()}
        return {**by_address, **self._by_user, **self._later, **roles}

    def _find_network(self, address: str) -> AddressLimits:
        try:
            counted = ipaddress.ip_network(address)
        except ValueError:  # the client's address is unknown
            return self._anywhere
        return next((limits for known, limits in self._networks if known.holds(counted)), self._anywhere)

    def _address_limits(self, factor: float) -> AddressLimits:
        of_group = {name: limit.scaled(factor) for name, limit in self._scale_limits(BY_ADDRESS).items()}
        return AddressLimits(of_group, [self._limit(limit).scaled(factor) for limit in (GLOBAL, ANONYMOUS)])

    def _scale_limits(self, limits: Mapping[str, Limit]) -> dict[str, Limit]:
        return {name: self._limit(limit) for name, limit in limits.items()}

    def _limit(self, limit: Limit) -> Limit:
        tokens = self._overrides.get(limit.name, limit.tokens)
        return Limit(limit.name, tokens, limit.period).scaled(self._factor)
