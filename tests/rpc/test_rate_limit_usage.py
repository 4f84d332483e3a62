"""GetRateLimitUsage: the limits as admins see them."""

import time
from datetime import datetime

import grpc
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.events.v1 import events_service_pb2 as events

from server.rate_limits.bucket import Limit
from server.rate_limits.budgets import NAMES
from tests.fixtures.actors import Actors, new_email

FULL = Limit("login", 5, 900)
"""Applies the contract's numbers: the shared instance has a hundred thousand times as many."""


def usage(actors: Actors) -> events.GetRateLimitUsageResponse:
    return actors.events.GetRateLimitUsage(events.GetRateLimitUsageRequest(), metadata=actors.admin.metadata)


def counts(actors: Actors) -> dict[str, tuple[int, int]]:
    return {limit.name: (limit.allowed, limit.refused) for limit in usage(actors).limits}


def test_every_limit_is_shown_with_number_and_allowed_calls(actors: Actors) -> None:
    before = counts(actors)
    assert before.keys() == NAMES
    with pytest.raises(grpc.RpcError):
        actors.auth.Login(auth.LoginRequest(email=new_email(), password="a wrong password"))
    after = usage(actors)
    [login] = [limit for limit in after.limits if limit.name == "login"]
    assert (login.tokens, login.period_seconds) == (500_000, 900)
    assert login.allowed == before["login"][0] + 1
    assert 0 < after.counted_since.seconds <= time.time()


def test_fullest_buckets_are_shown_for_every_store(actors: Actors) -> None:
    instance = actors.instance
    mine = Limit("admin", 100, 60)
    for limit, key in ((FULL, "198.51.100.9"), (mine, actors.admin.user_id)):
        for _ in range(limit.tokens):
            instance.run(instance.core.limiter.charge_also([(limit, key)]))
    with pytest.raises(Exception, match="Too many requests"):
        instance.run(instance.core.limiter.charge_also([(FULL, "198.51.100.9")]))
    status, answer = actors.rest("GET", "/events/rate-limits", actors.admin)
    assert (status, answer["message"]) == (200, "Rate limit usage retrieved successfully")
    found = {(bucket["limit"], bucket["key"]): bucket for bucket in answer["data"]["fullestBuckets"]}
    strict, own = found["login", "198.51.100.9"], found["admin", actors.admin.user_id]
    assert strict["usedPercent"] == 100
    assert 90 <= own["usedPercent"] <= 100
    assert 800 < datetime.fromisoformat(strict["fullAt"]).timestamp() - time.time() < 910
    [login] = [limit for limit in answer["data"]["limits"] if limit["name"] == "login"]
    assert login["refused"] >= 1
    assert len(answer["data"]["fullestBuckets"]) <= 20
