"""Tests which of its claimed emails a worker sends next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from server.db.identifiers import new_id
from server.mailer.entities import ClaimedEmail
from server.mailer.in_hand import MAX_AT_ONCE, MAX_BULK, MAX_BULK_CLAIMED, MAX_CLAIMED, InHand
from server.mailer.storage.queue import LEASE_SECONDS
from tests.fixtures.rendered_emails import MAIL, NOW


def mails(count: int, *, urgent: bool = False) -> list[ClaimedEmail]:
    expires_at = NOW + timedelta(seconds=60) if urgent else None
    return [replace(MAIL, id=new_id(), expires_at=expires_at) for _ in range(count)]


def in_hand(*claimed: Sequence[ClaimedEmail]) -> InHand:
    hand = InHand()
    for some in claimed:
        hand.add(some, 0)
    return hand


def test_urgent_emails_begin_first_and_bulk_leaves_slots_free() -> None:
    bulk, codes = mails(10), mails(3, urgent=True)
    hand = in_hand(bulk)
    assert hand.begin(0) == bulk[:MAX_BULK]
    assert hand.begin(0) == []
    hand.add(codes, 0)
    assert hand.begin(0) == codes[: MAX_AT_ONCE - MAX_BULK]
    hand.end(bulk[:1])
    assert hand.begin(0) == codes[MAX_AT_ONCE - MAX_BULK :]


def test_no_more_emails_begin_until_outcomes_are_recorded() -> None:
    codes = mails(MAX_AT_ONCE + 1, urgent=True)
    hand = in_hand(codes)
    assert hand.begin(0) == codes[:MAX_AT_ONCE]
    assert hand.begin(0) == []
    hand.end(codes[:1])
    assert hand.begin(0) == codes[MAX_AT_ONCE:]


def test_room_counts_waiting_and_begun_emails_by_lane() -> None:
    hand = in_hand()
    assert hand.room == (MAX_CLAIMED, MAX_BULK_CLAIMED)
    hand.add(mails(MAX_BULK_CLAIMED), 0)
    hand.begin(0)
    assert hand.room == (MAX_CLAIMED - MAX_BULK_CLAIMED, 0)
    assert not hand.wants_more
    hand.add(mails(MAX_CLAIMED - MAX_BULK_CLAIMED, urgent=True), 0)
    assert hand.room == (0, 0)


def test_email_whose_lease_may_have_ended_is_not_sent() -> None:
    lost, renewed, late = mails(3)
    hand = in_hand([lost, renewed])
    hand.renew({renewed.id}, [lost, renewed], 20)
    hand.add([late], 25)
    assert [mail.id for mail in hand.begin(20 + LEASE_SECONDS)] == [late.id]
    assert hand.begin(0) == []
    [unclaimed] = mails(1)
    hand.add([unclaimed], 0)
    hand.renew(set(), [unclaimed], 1)
    assert hand.begin(1) == []


def test_code_that_expired_while_waiting_counts_as_expired() -> None:
    hand = in_hand(mails(1, urgent=True))
    hand.renew({mail.id for mail in hand.all}, hand.all, 59)
    [mail] = hand.begin(60)
    assert mail.claimed_at == NOW + timedelta(seconds=60)
    assert mail.expired
    assert not in_hand(mails(1, urgent=True)).begin(29)[0].expired


def test_waiting_emails_are_given_back_and_begun_ones_are_not() -> None:
    bulk = mails(MAX_BULK + 2)
    hand = in_hand(bulk)
    begun = hand.begin(0)
    assert hand.take_waiting() == bulk[MAX_BULK:]
    assert list(hand.all) == begun
