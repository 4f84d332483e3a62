"""Tests the outbox and the queue in the database."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from server.db.unit_of_work import Transaction, UnitOfWork
from server.mailer.entities import ClaimedEmail
from server.mailer.outcome import DeliveryOutcome, GivenUp, Postponed, Sent
from server.mailer.storage.queue import EmailQueue
from server.outbox.entities import EmailKind, NewEmail
from server.outbox.storage.outbox import Outbox
from tests.fixtures.database import committing_work
from tests.fixtures.emails import add_account, add_mails, change, rows
from tests.fixtures.pace import within
from tests.fixtures.statements import noted_statements

EXPIRE_LEASES = "UPDATE emails SET lease_expires_at = now() - interval '1 s' WHERE state = 'processing'"


class Undone(Exception):
    """The error that fails a use case."""


async def add_and_fail(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
        raise Undone


async def claim(work: UnitOfWork, room: int = 8) -> tuple[ClaimedEmail, ...]:
    async with work.begin() as tx:
        return await tx[EmailQueue].claim(room, room)


async def test_rolled_back_work_leaves_no_email(work: UnitOfWork) -> None:
    with pytest.raises(Undone):
        await add_and_fail(work)
    assert await rows(work) == []
    async with work.begin() as tx:
        await add_mails(tx, 1)
    assert await rows(work) == [("pending", 0, "")]


async def test_add_sends_one_statement_and_none_without_emails(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        account = await add_account(tx.connection)
        mails = [NewEmail(EmailKind.WELCOME, account, "a@example.org", details={"invited": "yes"})] * 3
        with noted_statements() as sent:
            await tx[Outbox].add(*mails)
            await tx[Outbox].add()
    assert ["INSERT INTO emails" in statement.sql for statement in sent] == [True]
    claimed = await claim(work)
    assert [mail.details for mail in claimed] == [{"invited": "yes"}] * 3
    assert {mail.recipient_id for mail in claimed} == {account}


async def test_claimed_email_is_not_claimed_again_until_lease_expires(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
    (first,) = await claim(work)
    assert await claim(work) == ()
    await change(work, EXPIRE_LEASES)
    (second,) = await claim(work)
    assert second.id == first.id
    assert second.fence == first.fence + 1
    assert await claim(work) == ()


OUTCOMES: dict[str, DeliveryOutcome] = {
    "complete": Sent(),
    "postpone": Postponed(5, "451 later", counted=True),
    "give_up": GivenUp("550 no"),
}


@pytest.mark.parametrize("mark", OUTCOMES)
async def test_outcome_from_an_old_claim_is_ignored(work: UnitOfWork, mark: str) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
    (stale,) = await claim(work)
    await change(work, EXPIRE_LEASES)
    (current,) = await claim(work)

    async def say(tx: Transaction, mail: ClaimedEmail) -> bool:
        queue = tx[EmailQueue]
        return await queue.record_outcomes([(mail, OUTCOMES[mark])]) == {mail.id}

    async with work.begin() as tx:
        assert not await say(tx, stale)
    assert await rows(work) == [("processing", 0, "")]
    async with work.begin() as tx:
        assert await say(tx, current)
        assert not await say(tx, current)
    expected = {
        "complete": ("completed", 1, ""),
        "postpone": ("pending", 1, "451 later"),
        "give_up": ("failed", 1, "550 no"),
    }
    assert await rows(work) == [expected[mark]]


async def test_renewed_lease_stays_valid_and_lost_lease_stays_lost(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 2)
    kept, lost = await claim(work)
    await change(work, EXPIRE_LEASES)
    await change(work, f"UPDATE emails SET fence = fence + 1 WHERE id = '{lost.id}'")  # noqa: S608 - an id of ours
    async with work.begin() as tx:
        await tx[EmailQueue].renew([kept, lost])
    assert [mail.id for mail in await claim(work)] == [lost.id]


async def test_postponed_email_is_due_after_its_pause(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
    (mail,) = await claim(work)
    async with work.begin() as tx:
        outcome = Postponed(5, "away", counted=False)
        assert await tx[EmailQueue].record_outcomes([(mail, outcome)]) == {mail.id}
        due = await tx.connection.scalar(text("SELECT extract(epoch FROM due_at - now()) FROM emails"))
    assert float(due or 0) == pytest.approx(5)
    assert await claim(work) == ()
    await change(work, "UPDATE emails SET due_at = now()")
    (again,) = await claim(work)
    assert again.attempts == 0


async def test_claim_takes_at_most_its_capacity_and_oldest_first(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 5)
    await change(
        work, "UPDATE emails SET due_at = now() - interval '1 h' WHERE recipient IN ('3@example.org', '4@example.org')"
    )
    assert {mail.recipient for mail in await claim(work, 2)} == {"3@example.org", "4@example.org"}
    assert len(await claim(work, 2)) == 2
    assert len(await claim(work, 2)) == 1


async def test_claims_made_at_once_share_the_queue_without_waiting(database_url: str) -> None:
    async with committing_work(database_url) as work:
        async with work.begin() as tx:
            await add_mails(tx, 20)
        async with work.begin() as holding:
            first = await holding[EmailQueue].claim(5, 5)
            async with asyncio.timeout(within(1)):  # rows of the previous claim are locked, and skipped
                second = await claim(work, 20)
        assert len(first) == 5
        assert len(second) == 15
        assert {mail.id for mail in first}.isdisjoint(mail.id for mail in second)


async def status_after(work: UnitOfWork, *statements: str) -> bool:
    worker = UUID(int=1)
    async with work.begin() as tx:
        await tx[EmailQueue].record_heartbeat(worker)
    for statement in statements:
        await change(work, statement)
    async with work.read() as tx:
        return (await tx[EmailQueue].status()).is_healthy


@pytest.mark.parametrize(
    ("statement", "healthy"),
    [
        ("SELECT 1", True),
        ("UPDATE mail_workers SET seen_at = now() - interval '29 s'", True),
        ("UPDATE mail_workers SET seen_at = now() - interval '31 s'", False),
        ("UPDATE emails SET due_at = now() - interval '59 s'", True),
        ("UPDATE emails SET due_at = now() - interval '61 s'", False),
        ("UPDATE mail_workers SET circuit_open = true", False),
        ("UPDATE emails SET queued_at = now() - interval '61 s', due_at = now() + interval '5 s'", False),
        ("UPDATE emails SET queued_at = now() - interval '61 s', due_at = now() + interval '5 s', attempts = 1", True),
        ("UPDATE emails SET state = 'failed', finished_at = now(), harmless = true", True),
        ("UPDATE emails SET state = 'failed', finished_at = now() - interval '59 min'", False),
        ("UPDATE emails SET state = 'failed', finished_at = now() - interval '61 min'", True),
        ("UPDATE emails SET state = 'completed', finished_at = now(), due_at = now() - interval '1 day'", True),
    ],
)
async def test_queue_health_follows_the_flow_of_emails(work: UnitOfWork, statement: str, healthy: bool) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 1)
    assert await status_after(work, statement) is healthy


async def test_worker_stopped_or_unseen_for_a_day_is_deleted(work: UnitOfWork) -> None:
    workers = text("SELECT count(*) FROM mail_workers")
    async with work.begin() as tx:
        queue = tx[EmailQueue]
        await queue.record_heartbeat(UUID(int=1))
        await queue.record_heartbeat(UUID(int=1))
        assert await tx.connection.scalar(workers) == 1
        await tx.connection.execute(text("UPDATE mail_workers SET seen_at = now() - interval '25 h'"))
        await queue.record_heartbeat(UUID(int=2))
        assert await tx.connection.scalar(workers) == 1
        await queue.forget_worker(UUID(int=2))
        assert await tx.connection.scalar(workers) == 0


async def test_every_email_is_counted_in_exactly_one_state(work: UnitOfWork) -> None:
    async with work.begin() as tx:
        await add_mails(tx, 10)
    completed, failed, postponed, *_ = await claim(work, 5)
    async with work.begin() as tx:
        queue = tx[EmailQueue]
        again = Postponed(5, "451", counted=True)
        recorded = await queue.record_outcomes([(completed, Sent()), (failed, GivenUp("550")), (postponed, again)])
        assert recorded == {completed.id, failed.id, postponed.id}
        status = await queue.status()
    assert (status.pending, status.processing, status.completed, status.failed) == (6, 2, 1, 1)
    assert status.total == 10
