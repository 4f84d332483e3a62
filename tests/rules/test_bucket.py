"""Tests token bucket arithmetic: burst, refill, rejection, refund, and which result is reported."""

import pytest

from server.rate_limits.bucket import Decision, Limit, refund, strictest, take, take_all

LIMITS = [Limit("global", 100, 900), Limit("login", 5, 900), Limit("admin", 100, 60), Limit("doctor", 50, 60)]
LIMITS += [
    Limit("pharmacist", 30, 60),
    Limit("otp", 3, 300),
    Limit("single", 1, 60),
    Limit("load", 10_000, 60),
]
NOW = 1_000_000.1  # uptime of eleven days, and no round number


def drained(limit: Limit, now: float = NOW) -> float:
    """Returns the TAT of a bucket that calls of one token each have just emptied."""
    tat = now
    for _ in range(limit.tokens):
        tat = take(tat, limit, now).tat
    return tat


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_as_many_calls_as_the_limit_pass_and_the_next_is_refused(limit: Limit) -> None:
    tat = NOW
    for left in reversed(range(limit.tokens)):
        decision = take(tat, limit, NOW)
        assert (decision.allowed, decision.remaining, decision.retry_after) == (True, left, 0.0)
        tat = decision.tat
    refusal = take(tat, limit, NOW)
    assert (refusal.allowed, refusal.remaining) == (False, 0)
    assert refusal.retry_after == pytest.approx(limit.period / limit.tokens, rel=1e-3)
    assert refusal.reset_after == pytest.approx(limit.period, rel=1e-3)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_waiting_the_retry_time_passes_exactly_one_call(limit: Limit) -> None:
    refusal = take(drained(limit), limit, NOW)
    later = NOW + refusal.retry_after
    allowed = take(refusal.tat, limit, later)
    assert allowed.allowed
    assert not take(allowed.tat, limit, later).allowed


def test_a_call_just_before_its_time_is_refused() -> None:
    limit = Limit("login", 5, 900)
    refusal = take(drained(limit), limit, NOW)
    assert not take(refusal.tat, limit, NOW + refusal.retry_after - 1).allowed


def test_a_refusal_costs_nothing() -> None:
    limit = Limit("login", 5, 900)
    tat = drained(limit)
    assert take(tat, limit, NOW).tat == tat


def test_a_bucket_fills_to_its_size_and_no_further() -> None:
    limit = Limit("otp", 3, 300)
    tat = drained(limit)
    assert take(tat, limit, NOW + 300, cost=0).remaining == 3
    assert take(tat, limit, NOW + 10**6, cost=0).remaining == 3
    assert take(tat, limit, NOW + 10**6).remaining == 2


def test_burst_and_refill_pass_at_most_twice_the_number() -> None:
    limit = Limit("doctor", 50, 60)
    tat, passed = NOW, 0
    for step in range(60 * 20):
        decision = take(tat, limit, NOW + step / 20)
        tat, passed = decision.tat, passed + decision.allowed
    assert 2 * limit.tokens - 2 <= passed <= 2 * limit.tokens


def test_reset_says_when_the_bucket_is_full_again() -> None:
    limit = Limit("otp", 3, 300)
    decision = take(NOW, limit, NOW)
    assert decision.reset_after == pytest.approx(100)
    assert take(decision.tat, limit, NOW + decision.reset_after, cost=0).remaining == 3


def test_several_tokens_can_be_taken_at_once_or_none() -> None:
    limit = Limit("doctor", 50, 60)
    first = take(NOW, limit, NOW, cost=40)
    assert (first.allowed, first.remaining) == (True, 10)
    second = take(first.tat, limit, NOW, cost=20)
    assert (second.allowed, second.remaining) == (False, 10)
    assert second.retry_after == pytest.approx(10 * 60 / 50)


def test_looking_takes_nothing() -> None:
    limit = Limit("login", 5, 900)
    tat = take(NOW, limit, NOW).tat
    look = take(tat, limit, NOW, cost=0)
    assert (look.allowed, look.remaining, look.tat) == (True, 4, tat)
    assert take(drained(limit), limit, NOW, cost=0).remaining == 0


def test_refund_returns_token_up_to_the_bucket_size() -> None:
    limit = Limit("login", 5, 900)
    once = take(NOW, limit, NOW).tat
    assert take(refund(once, limit), limit, NOW, cost=0).remaining == 5
    assert take(refund(refund(once, limit), limit), limit, NOW, cost=0).remaining == 5
    assert take(refund(drained(limit), limit, cost=2), limit, NOW, cost=0).remaining == 2


def test_when_one_bucket_refuses_none_is_charged() -> None:
    wide, narrow = Limit("admin", 100, 60), Limit("otp", 3, 300)
    wide_answer, narrow_answer = take_all([(wide, NOW), (narrow, drained(narrow))], NOW)
    assert (wide_answer.allowed, wide_answer.remaining, wide_answer.tat) == (True, 100, NOW)
    assert (narrow_answer.allowed, narrow_answer.retry_after > 0) == (False, True)


def test_when_all_allow_all_are_charged() -> None:
    answers = take_all([(limit, NOW) for limit in LIMITS], NOW)
    assert [answer.limit for answer in answers] == LIMITS
    assert [answer.remaining for answer in answers] == [limit.tokens - 1 for limit in LIMITS]


def decision(allowed: bool, remaining: int, retry_after: float) -> Decision:
    return Decision(LIMITS[0], allowed, remaining, 0.0, retry_after, 0.0)


def test_the_longest_refusal_is_reported_first() -> None:
    long = decision(False, 3, 9.0)
    assert strictest([decision(True, 0, 0.0), decision(False, 0, 1.0), long]) is long


def test_without_a_refusal_the_fewest_tokens_left_are_reported() -> None:
    low = decision(True, 1, 0.0)
    assert strictest([decision(True, 50, 0.0), low, decision(True, 2, 0.0)]) is low


def test_a_factor_scales_the_tokens_and_leaves_at_least_one() -> None:
    assert Limit("login", 5, 900).scaled(50) == Limit("login", 250, 900)
    assert Limit("login", 5, 900).scaled(0.01) == Limit("login", 1, 900)


@pytest.mark.parametrize(("tokens", "period"), [(0, 60), (-1, 60), (5, 0), (5, -1)])
def test_a_limit_without_tokens_or_time_is_refused(tokens: int, period: float) -> None:
    with pytest.raises(ValueError, match="limit odd"):
        Limit("odd", tokens, period)
