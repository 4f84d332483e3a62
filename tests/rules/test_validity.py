"""Tests the validity of prescriptions that begins on a later day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.clinical.entities import PrescriptionStatus
from server.clinical.rules.prescribing import check_not_suspended, check_usable
from server.clinical.rules.validity import later_validity
from server.clinical.services.qr_issuer import QrIssuer
from server.errors import NotYetValid, PrescriptionCancelled, PrescriptionSuspended, ValidationFailed
from server.pharmacy.rules import dispensing
from server.qr.key_ring import QrKeyRing
from tests.fixtures.prescriptions import NOW, a_prescription

TODAY = date(2026, 12, 1)
BERLIN = ZoneInfo("Europe/Berlin")
TICK = timedelta(microseconds=1)
ZONES = sorted(available_timezones() - {"localtime"})
LATER = later_validity(TODAY + timedelta(days=9), timedelta(days=3), TODAY, BERLIN)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    today=st.dates(date(2000, 1, 1), date(2040, 1, 1)),
    ahead=st.integers(1, 365),
    days=st.integers(1, 365),
)
def test_validity_covers_its_first_and_last_day_in_full(zone: ZoneInfo, today: date, ahead: int, days: int) -> None:
    first, last = today + timedelta(days=ahead), today + timedelta(days=ahead + days - 1)
    validity = later_validity(first, timedelta(days=days), today, zone)
    assert validity is not None
    starts_at, ends_at = validity.starts_at.astimezone(UTC), validity.ends_at.astimezone(UTC)

    def day(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    assume(day(starts_at) == first and day(ends_at) == last + timedelta(days=1))  # an island may have skipped the day
    assert day(starts_at - TICK) < first
    assert day(ends_at - TICK) == last
    written = a_prescription(later_validity=validity, expires_at=ends_at)
    with pytest.raises(NotYetValid) as refusal:
        check_usable(replace(written, as_of=starts_at - TICK))
    assert refusal.value.metadata == {"valid_from": first.isoformat()}
    check_usable(replace(written, as_of=starts_at))
    check_usable(replace(written, as_of=ends_at - TICK))


@pytest.mark.parametrize("day", [None, TODAY])
def test_validity_from_today_begins_at_once(day: date | None) -> None:
    assert later_validity(day, timedelta(days=3), TODAY, BERLIN) is None


@pytest.mark.parametrize("ahead", [-36_500, -1, 366, 36_500])
def test_validity_from_a_day_out_of_range_is_refused(ahead: int) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        later_validity(TODAY + timedelta(days=ahead), timedelta(days=3), TODAY, BERLIN)
    assert [violation.field for violation in refusal.value.violations] == ["validFrom"]


def test_final_state_and_suspension_are_told_before_the_day() -> None:
    cancelled = a_prescription(later_validity=LATER, status=PrescriptionStatus.CANCELLED)
    suspended = a_prescription(later_validity=LATER, suspended_at=NOW)
    with pytest.raises(PrescriptionCancelled):
        check_usable(cancelled)
    with pytest.raises(PrescriptionSuspended):
        check_usable(suspended)


def test_patient_and_doctor_can_use_the_code_before_the_day() -> None:
    check_not_suspended(a_prescription(later_validity=LATER))


def test_scan_and_lookup_before_the_day_state_it() -> None:
    written = a_prescription(later_validity=LATER)
    with pytest.raises(NotYetValid, match="from 10 December 2026"):
        dispensing.check_code(written, written.qr_code)
    with pytest.raises(NotYetValid):
        dispensing.status_after_scan(written)


@pytest.mark.parametrize(("valid", "ends"), [(2, timedelta(days=2)), (7, timedelta(days=3))])
def test_code_is_valid_from_the_day_to_the_end_at_most(valid: int, ends: timedelta) -> None:
    assert LATER is not None
    issuer = QrIssuer(QrKeyRing.parse("k1:a-secret-for-tests-that-is-long-enough"), timedelta(days=valid))
    code = issuer.issue(a_prescription().id, NOW, LATER.ends_at, LATER)
    assert code.expires_at == LATER.starts_at + ends
