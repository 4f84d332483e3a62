"""What becomes of a mail after a try."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.mail.entities import ClaimedMail, MailKind
from server.mail.mailer import MailDeferred, MailRefused, MailSystemAway, RecipientRefused
from server.mail.outcome import GivenUp, Postponed, after_failed_composing, after_failed_delivery

NOW = datetime(2026, 11, 26, tzinfo=UTC)
MAIL = ClaimedMail(UUID(int=1), MailKind.WELCOME, UUID(int=2), "a@b.example", None, {}, 0, 1, NOW, NOW, NOW)


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 5), (1, 30), (2, 180)])
def test_a_deferred_mail_is_tried_again_after_pauses_that_grow_sixfold(attempts: int, seconds: float) -> None:
    outcome = after_failed_delivery(replace(MAIL, attempts=attempts), MailDeferred("451 later"), 5, 1.0)
    assert outcome == Postponed(seconds, "451 later", counted=True)


def test_pauses_are_spread() -> None:
    outcomes = [after_failed_delivery(MAIL, MailDeferred("451"), 3, spread) for spread in (0.8, 1.2)]
    assert outcomes == [Postponed(4, "451", counted=True), Postponed(6, "451", counted=True)]


def test_a_mail_deferred_as_often_as_it_may_be_tried_is_given_up() -> None:
    assert after_failed_delivery(replace(MAIL, attempts=2), MailDeferred("451"), 3, 1.0) == GivenUp("451")


def test_a_refused_mail_is_given_up_at_once_and_only_a_refused_recipient_is_harmless() -> None:
    assert after_failed_delivery(MAIL, MailRefused("554 not wanted"), 3, 1.0) == GivenUp("554 not wanted")
    outcome = after_failed_delivery(MAIL, RecipientRefused("550 <a@b.example> unknown"), 3, 1.0)
    assert outcome == GivenUp("550 <a***@b.example> unknown", harmless=True)


def test_a_mail_system_that_is_away_uses_up_no_attempt_for_a_day() -> None:
    late = replace(MAIL, attempts=2, claimed_at=NOW + timedelta(hours=23, minutes=59))
    too_late = replace(MAIL, claimed_at=NOW + timedelta(hours=24))
    put_back = replace(too_late, queued_at=NOW + timedelta(hours=12))
    assert after_failed_delivery(late, MailSystemAway("gone"), 3, 1.0) == Postponed(5, "gone", counted=False)
    assert after_failed_delivery(too_late, MailSystemAway("gone"), 3, 1.0) == GivenUp("gone")
    assert after_failed_delivery(put_back, MailSystemAway("gone"), 3, 1.0) == Postponed(5, "gone", counted=False)


def test_a_mail_that_cannot_be_composed_is_set_aside_after_three_tries() -> None:
    outcomes = [after_failed_composing(replace(MAIL, attempts=attempts), "fault", 1.0) for attempts in range(3)]
    assert outcomes == [Postponed(5, "fault", counted=True), Postponed(30, "fault", counted=True), GivenUp("fault")]
