"""Tests former versions of records: what a change keeps, and what the audit says about it."""

from dataclasses import replace
from typing import Any

import pytest
from asyncpg import PostgresError

from server.access_log.entities import AccessFilter
from server.audit.events import AuditEvent
from server.clinical.entities import PatientChange
from server.clinical.patient_entities import AllergyStatus, RecordVersion
from server.errors import NotFound, OtpRequired, ValidationFailed
from server.identity import Role
from server.patient_details import Gender
from tests.fixtures.clinical import FIRST_PAGE, NO_DETAILS, Clinic
from tests.services.test_clinical_history import a_session, opened


async def update(clinic: Clinic, **fields: Any) -> None:
    await clinic.patients.update(clinic.doctor, clinic.paula.id, None, PatientChange(**fields))


async def versions(clinic: Clinic) -> tuple[RecordVersion, ...]:
    return (await clinic.histories.versions_of_patient(clinic.colleague, clinic.paula.id, FIRST_PAGE)).items


async def test_a_change_of_clinical_fields_keeps_the_former_version(clinic: Clinic) -> None:
    await update(clinic, allergies=("Nuts",), blood_type="A+")
    await update(clinic, phone="+49 9")
    await clinic.patients.update_profile(clinic.paula_caller, PatientChange(clear=frozenset({"allergies"}), version=3))
    last, first = await versions(clinic)
    assert (last.version, last.replaced_by_name, last.replaced_by_role) == (3, "Paula Patient", Role.PATIENT)
    assert (last.changed_fields, last.allergies, last.blood_type) == (("allergies",), ("Nuts",), "A+")
    assert (first.version, first.replaced_by_name, first.replaced_by_role) == (1, "Dana Doctor", Role.DOCTOR)
    assert first.changed_fields == ("blood_type", "allergies")
    assert (first.allergies, first.blood_type, first.gender) == ((), "", Gender.FEMALE)
    assert first.date_of_birth == NO_DETAILS.date_of_birth
    assert first.replaced_at <= last.replaced_at


async def test_the_allergy_status_is_kept_with_each_version(clinic: Clinic) -> None:
    await update(clinic, no_known_allergies=True)
    asked = await clinic.patients.get(clinic.paula.id)
    assert asked.allergies_asked is not None
    assert (asked.allergies_asked.name, asked.allergy_status) == ("Dana Doctor", AllergyStatus.NONE_KNOWN)
    await update(clinic, no_known_allergies=False)
    await update(clinic, no_known_allergies=True)
    await update(clinic, allergies=("Nuts",))
    kept = [(former.changed_fields, former.allergy_status) for former in await versions(clinic)]
    assert kept == [
        (("allergies",), AllergyStatus.NONE_KNOWN),
        (("allergy_status",), AllergyStatus.NOT_RECORDED),
        (("allergy_status",), AllergyStatus.NONE_KNOWN),
        (("allergy_status",), AllergyStatus.NOT_RECORDED),
    ]
    assert (await clinic.patients.get(clinic.paula.id)).allergy_status is AllergyStatus.LISTED
    rows = await clinic.execute("SELECT reason FROM audit_records WHERE event = 'patient_updated' ORDER BY occurred_at")
    assert [row["reason"] for row in rows] == ["allergyStatus", "allergyStatus", "allergyStatus", "allergies"]


async def test_a_list_by_any_statement_ends_none_known(clinic: Clinic) -> None:
    """The previous version of the server lists allergies and does not know of the other columns."""
    await update(clinic, no_known_allergies=True)
    await clinic.execute("UPDATE patients SET allergies = '{Nuts}', version = version + 1")
    listed = await clinic.patients.get(clinic.paula.id)
    assert (listed.allergies, listed.allergies_asked) == (("Nuts",), None)
    await clinic.execute("UPDATE patients SET allergies = '{}', version = version + 1")
    assert (await clinic.patients.get(clinic.paula.id)).allergy_status is AllergyStatus.NOT_RECORDED


async def test_a_new_record_states_that_none_are_known(clinic: Clinic) -> None:
    record = await clinic.patients.create(clinic.doctor, None, "Nora Neu", "", NO_DETAILS, no_known_allergies=True)
    assert record.allergies_asked is not None
    assert (record.allergies_asked.name, record.allergy_status) == ("Dana Doctor", AllergyStatus.NONE_KNOWN)
    with pytest.raises(ValidationFailed):
        listed = replace(NO_DETAILS, allergies=("Nuts",))
        await clinic.patients.create(clinic.doctor, None, "Nora Neu", "", listed, no_known_allergies=True)


async def test_patient_reads_versions_only_with_open_history(clinic: Clinic) -> None:
    await update(clinic, existing_conditions=("Asthma",))
    with pytest.raises(OtpRequired):
        await clinic.histories.own_versions(await a_session(clinic), FIRST_PAGE)
    own = await clinic.histories.own_versions(await opened(clinic), FIRST_PAGE)
    assert own.items == await versions(clinic)
    with pytest.raises(NotFound):
        await clinic.histories.versions_of_patient(clinic.doctor, clinic.doctor.user_id, FIRST_PAGE)


async def test_a_change_by_any_statement_keeps_the_version(clinic: Clinic) -> None:
    """The previous version of the server names no author; a statement by hand may not even count the version."""
    await update(clinic, blood_type="A+")
    await clinic.execute("UPDATE patients SET allergies = '{Nuts}', version = version + 1")
    await clinic.execute("UPDATE patients SET allergies = '{Latex}'")
    await clinic.execute("UPDATE patients SET allergies = '{Latex}', phone = '+49 9', version = version + 1")
    third, second, first = await versions(clinic)
    assert [each.version for each in (first, second, third)] == [1, 2, 3]
    assert (first.replaced_by_name, second.replaced_by_name, third.replaced_by_name) == ("Dana Doctor", "", "")
    assert (await clinic.patients.get(clinic.paula.id)).version == 5


@pytest.mark.parametrize("statement", ["UPDATE record_versions SET allergies = '{}'", "DELETE FROM record_versions"])
async def test_versions_cannot_be_changed(clinic: Clinic, statement: str) -> None:
    await update(clinic, allergies=("Nuts",))
    with pytest.raises(PostgresError, match="are only added"):
        await clinic.execute(statement)


async def test_audit_and_access_log_name_the_changed_fields(clinic: Clinic) -> None:
    await update(clinic, allergies=("Nuts",), full_name="Paula Neu")
    await update(clinic)
    with pytest.raises(ValidationFailed):
        await update(clinic, clear=frozenset({"allergies"}))
    rows = await clinic.execute("SELECT reason FROM audit_records WHERE event = 'patient_updated' ORDER BY occurred_at")
    assert [row["reason"] for row in rows] == ["fullName,allergies", ""]
    log = await clinic.audit.list_accesses(
        clinic.paula_caller, AccessFilter(event=AuditEvent.PATIENT_UPDATED), FIRST_PAGE
    )
    assert [access.changed_fields for access in log.items] == [(), ("fullName", "allergies")]
