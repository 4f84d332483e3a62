"""A call and its retries: idempotency keys, backoff, deadlines and tokens."""

import asyncio
from functools import partial

import grpc
import pytest
from medconnect.auth.v1 import auth_service_pb2
from medconnect.events.v1 import events_service_pb2
from medconnect.pharmacy.v1 import dispensing_pb2, pharmacy_service_pb2
from medconnect_client import AsyncClient, Progress, RetryPolicy, errors

from tests.client.conftest import TurnedClock
from tests.client.messages import DISPENSED, SCANNED, refreshed, signed_in
from tests.fixtures.pace import within
from tests.fixtures.scripted_service import ScriptedService, after, refusal

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
UNAUTHENTICATED = refusal(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.fixture
async def pharmacist(client: AsyncClient, scripted: ScriptedService) -> AsyncClient:
    scripted.answer(signed_in())
    await client.sign_in("p@example.org", "secret")
    return client


def keys(scripted: ScriptedService) -> list[str | None]:
    return [asked.metadata.get("idempotency-key") for asked in scripted.asked]


async def test_a_command_repeats_its_key(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAVAILABLE, UNAVAILABLE, SCANNED)
    assert (await pharmacist.pharmacy.scan("MC1.x")).can_dispense
    first, *others = keys(scripted)
    assert first is not None
    assert len(first) >= 16
    assert others == [first, first]


async def test_two_commands_have_two_keys(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(SCANNED)
    await pharmacist.pharmacy.scan("MC1.x")
    await pharmacist.pharmacy.scan("MC1.x")
    assert len(set(keys(scripted))) == 2


async def test_a_callers_own_key_is_sent(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(SCANNED)
    await pharmacist.pharmacy.scan("MC1.x", idempotency_key="a key of the caller's own")
    assert keys(scripted) == ["a key of the caller's own"]


async def test_what_has_no_key_is_not_repeated(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAVAILABLE)
    with pytest.raises(errors.Unavailable) as caught:
        await pharmacist.auth.change_password("old", "new")
    assert (keys(scripted), caught.value.maybe_done) == ([None], True)


async def test_read_is_repeated_without_key_and_is_never_maybe_done(
    pharmacist: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(UNAVAILABLE)
    with pytest.raises(errors.Unavailable) as caught:
        await pharmacist.pharmacy.receipt("p1")
    assert (keys(scripted), caught.value.maybe_done) == ([None] * 4, False)


async def test_waits_grow_and_are_spread(
    pharmacist: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(UNAVAILABLE)
    with pytest.raises(errors.Unavailable):
        await pharmacist.pharmacy.receipt("p1")
    assert all(0.8 * due <= wait <= 1.2 * due for due, wait in zip((0.1, 0.2, 0.4), turned.waits, strict=True))


async def test_the_server_says_how_long_to_wait(
    pharmacist: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    busy = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", retry_after=7)
    scripted.answer(busy, auth_service_pb2.ChangePasswordResponse())
    await pharmacist.auth.change_password("old", "new")
    assert turned.waits == [7]


async def test_a_wait_that_is_too_long_is_the_callers(
    pharmacist: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    scripted.answer(refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", retry_after=60))
    with pytest.raises(errors.RateLimitExceeded) as caught:
        await pharmacist.pharmacy.scan("MC1.x")
    assert (caught.value.retry_after, turned.waits) == (60, [])


async def test_a_call_in_progress_is_waited_for(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(refusal(grpc.StatusCode.ABORTED, "REQUEST_IN_PROGRESS", retry_after=1), SCANNED)
    await pharmacist.pharmacy.scan("MC1.x")
    assert len(set(keys(scripted))) == 1


async def test_a_call_that_stays_in_progress_may_be_done(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(refusal(grpc.StatusCode.ABORTED, "REQUEST_IN_PROGRESS"))
    with pytest.raises(errors.RequestInProgress) as caught:
        await pharmacist.pharmacy.dispense("p1", [])
    assert caught.value.maybe_done


async def test_a_refusal_is_not_repeated(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(refusal(grpc.StatusCode.FAILED_PRECONDITION, "CLAIMED_BY_OTHER"))
    with pytest.raises(errors.ClaimedByOther):
        await pharmacist.pharmacy.validate("p1")
    assert len(scripted.asked) == 1


async def test_an_unanswered_command_may_be_done(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAVAILABLE)
    with pytest.raises(errors.Unavailable) as caught:
        await pharmacist.pharmacy.dispense("p1", [])
    assert caught.value.maybe_done
    assert set(keys(scripted)) == {caught.value.idempotency_key}


async def test_a_refusal_after_a_lost_answer_settles_it(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAVAILABLE, refusal(grpc.StatusCode.FAILED_PRECONDITION, "PRESCRIPTION_STATE"))
    with pytest.raises(errors.PrescriptionState) as caught:
        await pharmacist.pharmacy.dispense("p1", [])
    assert not caught.value.maybe_done


async def test_a_limit_after_a_lost_answer_settles_nothing(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    limit = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", retry_after=60)
    scripted.answer(UNAVAILABLE, limit)
    with pytest.raises(errors.RateLimitExceeded) as caught:
        await pharmacist.pharmacy.dispense("p1", [])
    assert caught.value.maybe_done


async def test_an_attempt_without_an_answer_is_made_again(scripted: ScriptedService) -> None:
    scripted.answer(signed_in(), partial(after, 5, DISPENSED), DISPENSED)
    async with AsyncClient(scripted.address, attempt_timeout=0.2) as client:
        await client.sign_in("p@example.org", "secret")
        assert (await client.pharmacy.dispense("p1", [])).currency == "USD"
    assert len(set(keys(scripted)[1:])) == 1


async def test_a_call_ends_when_its_time_is_over(scripted: ScriptedService) -> None:
    scripted.answer(signed_in(), partial(after, 5, DISPENSED))
    async with AsyncClient(scripted.address, timeout=0.5, attempt_timeout=0.2) as client:
        await client.sign_in("p@example.org", "secret")
        started = asyncio.get_running_loop().time()
        with pytest.raises(errors.DeadlineExceeded) as caught:
            await client.pharmacy.dispense("p1", [])
    assert asyncio.get_running_loop().time() - started < within(1.5)
    assert caught.value.maybe_done
    assert all(asked.seconds is not None and asked.seconds < 0.3 for asked in scripted.asked[1:])


async def test_what_was_never_sent_is_not_done(turned: TurnedClock, progress: list[Progress]) -> None:
    async with AsyncClient("127.0.0.1:1", clock=turned.clock, observer=progress.append) as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.sign_in("p@example.org", "secret")
    assert not caught.value.maybe_done
    assert len(turned.waits) == 3, "signing in has no key, but what was not sent can be sent again"
    assert [step.reachable for step in progress if step.waiting is not None] == [False] * 3
    assert [step.attempt for step in progress if step.waiting is None] == [1, 2, 3, 4]


async def test_when_most_calls_fail_repeating_stops(scripted: ScriptedService, turned: TurnedClock) -> None:
    scripted.answer(UNAVAILABLE)
    for throttled, expected in ((True, 8), (False, 16)):
        scripted.asked.clear()
        async with AsyncClient(scripted.address, clock=turned.clock, retry=RetryPolicy(throttled=throttled)) as client:
            for _ in range(4):
                with pytest.raises(errors.Unavailable):
                    await client.auth.key_set()
        assert len(scripted.asked) == expected - (1 if throttled else 0)


async def test_a_refused_token_is_exchanged_and_the_call_repeated(
    pharmacist: AsyncClient, scripted: ScriptedService
) -> None:
    scripted.answer(UNAUTHENTICATED, refreshed("second"), SCANNED)
    await pharmacist.pharmacy.scan("MC1.x")
    first, exchange, second = scripted.asked
    assert exchange.method.endswith("/RefreshToken")
    assert first.metadata["authorization"] != second.metadata["authorization"]
    assert first.metadata["idempotency-key"] == second.metadata["idempotency-key"]


async def test_a_session_that_is_over_is_told_once(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    over = refusal(grpc.StatusCode.UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    scripted.answer(UNAUTHENTICATED, over)
    with pytest.raises(errors.RefreshTokenInvalid):
        await pharmacist.pharmacy.scan("MC1.x")
    assert len(scripted.asked) == 2
    assert not pharmacist.signed_in


async def test_a_token_that_is_always_refused_ends_the_call(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAUTHENTICATED, refreshed("second"), UNAUTHENTICATED)
    with pytest.raises(errors.Unauthenticated):
        await pharmacist.pharmacy.scan("MC1.x")
    assert len(scripted.asked) == 3


async def test_a_list_is_fetched_page_by_page(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    def page(name: str, following: str) -> pharmacy_service_pb2.ListDispensingHistoryResponse:
        entry = dispensing_pb2.DispensingHistoryEntry(id=name)
        return pharmacy_service_pb2.ListDispensingHistoryResponse(entries=[entry], next_page_token=following)

    scripted.answer(page("a", "token-2"), page("b", ""))
    found = [entry.id async for entry in pharmacist.pharmacy.history()]
    requests = [pharmacy_service_pb2.ListDispensingHistoryRequest.FromString(asked.body) for asked in scripted.asked]
    assert (found, [request.page_token for request in requests]) == (["a", "b"], ["", "token-2"])


async def test_a_stream_goes_on_after_it_breaks(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    states = [events_service_pb2.WatchEmailQueueStatusResponse(total_jobs=number) for number in range(4)]
    scripted.answer([states[0], states[1]], UNAVAILABLE, [states[2]], [states[3]])
    seen = []
    async for status in pharmacist.events.watch_email_queue():
        seen.append(status.total_jobs)
        if len(seen) == 4:
            break
    assert seen == [0, 1, 2, 3]


async def test_a_stream_outlives_its_token(
    pharmacist: AsyncClient, scripted: ScriptedService, turned: TurnedClock
) -> None:
    state = events_service_pb2.WatchEmailQueueStatusResponse(total_jobs=7)
    scripted.answer(UNAUTHENTICATED, refreshed("second"), [state])
    assert (await anext(pharmacist.events.watch_email_queue())).total_jobs == 7
    assert turned.waits == []
    first, _, second = scripted.asked
    assert first.metadata["authorization"] != second.metadata["authorization"]


async def test_a_stream_that_is_refused_ends(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED"))
    with pytest.raises(errors.RoleNotAllowed):
        await anext(pharmacist.events.watch_email_queue())


async def test_a_stream_whose_server_stays_away_ends(pharmacist: AsyncClient, scripted: ScriptedService) -> None:
    scripted.answer(UNAVAILABLE)
    with pytest.raises(errors.Unavailable):
        await anext(pharmacist.events.watch_email_queue())
    assert len(scripted.asked) == 4
