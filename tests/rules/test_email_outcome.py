"""Tests the state of an email after an attempt to send it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.mailer.entities import ClaimedEmail
from server.mailer.outcome import GivenUp, Postponed, after_failed_composing, after_failed_delivery
from server.mailer.transport import MailDeferred, MailRefused, MailSystemAway, RecipientRefused
from server.outbox.entities import EmailKind

NOW = datetime(2026, 11, 26, tzinfo=UTC)
MAIL = ClaimedEmail(UUID(int=1), EmailKind.WELCOME, UUID(int=2), "a@b.example", None, {}, 0, 1, NOW, NOW, NOW)
LATE = replace(MAIL, claimed_at=NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    ("deferrals", "seconds"), [(0, 5), (1, 30), (2, 120), (3, 600), (4, 1800), (5, 3600), (6, 3600), (28, 3600)]
)
def test_deferred_email_is_retried_by_its_schedule(deferrals: int, seconds: float) -> None:
    deferred = replace(MAIL, attempts=deferrals, deferrals=deferrals)
    outcome = after_failed_delivery(deferred, MailDeferred("451 later"), 1.0)
    assert outcome == Postponed(seconds, "451 later", counted=True, deferred=True)


def test_pauses_are_spread() -> None:
    outcomes = [after_failed_delivery(MAIL, MailDeferred("451"), spread) for spread in (0.8, 1.2)]
    assert outcomes == [Postponed(seconds, "451", counted=True, deferred=True) for seconds in (4, 6)]


def test_email_deferred_for_a_day_fails() -> None:
    almost = replace(LATE, deferrals=30, claimed_at=NOW + timedelta(hours=23, minutes=59))
    assert isinstance(after_failed_delivery(almost, MailDeferred("451"), 1.0), Postponed)
    assert after_failed_delivery(replace(LATE, deferrals=5), MailDeferred("451"), 1.0) == GivenUp("451")


def test_email_first_deferred_after_outage_gets_short_pauses() -> None:
    outcome = after_failed_delivery(replace(LATE, deferrals=4), MailDeferred("451"), 1.0)
    assert outcome == Postponed(1800, "451", counted=True, deferred=True)


@pytest.mark.parametrize(("left", "seconds"), [(86_400, 600), (400, 200), (6, 5), (1, 5)])
def test_pause_of_code_is_at_most_half_of_its_remaining_time(left: int, seconds: float) -> None:
    code = replace(MAIL, deferrals=3, expires_at=NOW + timedelta(seconds=left))
    outcome = after_failed_delivery(code, MailDeferred("451"), 1.0)
    assert outcome == Postponed(seconds, "451", counted=True, deferred=True)


def test_rejected_email_fails_and_only_bad_recipient_is_harmless() -> None:
    assert after_failed_delivery(MAIL, MailRefused("554 not wanted"), 1.0) == GivenUp("554 not wanted")
    outcome = after_failed_delivery(MAIL, RecipientRefused("550 <a@b.example> unknown"), 1.0)
    assert outcome == GivenUp("550 <a***@b.example> unknown", harmless=True)


def test_unreachable_mail_system_costs_no_attempt_for_a_day() -> None:
    late = replace(MAIL, attempts=2, claimed_at=NOW + timedelta(hours=23, minutes=59))
    too_late = replace(MAIL, claimed_at=NOW + timedelta(hours=24))
    put_back = replace(too_late, queued_at=NOW + timedelta(hours=12))
    assert after_failed_delivery(late, MailSystemAway("gone"), 1.0) == Postponed(5, "gone", counted=False)
    assert after_failed_delivery(too_late, MailSystemAway("gone"), 1.0) == GivenUp("gone")
    assert after_failed_delivery(put_back, MailSystemAway("gone"), 1.0) == Postponed(5, "gone", counted=False)


def test_email_that_cannot_be_composed_fails_after_three_tries() -> None:
    outcomes = [after_failed_composing(replace(MAIL, attempts=attempts), "fault", 3, 1.0) for attempts in range(3)]
    assert outcomes == [Postponed(5, "fault", counted=True), Postponed(30, "fault", counted=True), GivenUp("fault")]


def test_deferrals_do_not_count_as_composition_failures() -> None:
    deferred = replace(MAIL, attempts=20, deferrals=19)
    assert after_failed_composing(deferred, "fault", 3, 1.0) == Postponed(30, "fault", counted=True)
