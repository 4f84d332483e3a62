"""Reads the hospitals and pharmacies that emails about prescriptions name."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text

from server.db.connection import Connection
from server.mailer.entities import Workplace

_HOSPITALS: Final = text(
    """
    SELECT prescription.id, doctor.hospital_name AS name, coalesce(hospital.phone, '') AS phone
    FROM prescriptions AS prescription
    CROSS JOIN LATERAL (
        SELECT hospital_name FROM user_names
        WHERE user_id = prescription.doctor_id AND since <= prescription.created_at
        ORDER BY since DESC LIMIT 1
    ) AS doctor
    LEFT JOIN LATERAL (
        SELECT organisations.phone
        FROM memberships JOIN organisations ON organisations.id = memberships.organisation_id
        WHERE memberships.user_id = prescription.doctor_id AND memberships.ended_at IS NULL
            AND organisations.kind = 'hospital' AND lower(organisations.name) = lower(doctor.hospital_name)
        LIMIT 1
    ) AS hospital ON true
    WHERE prescription.id = ANY(CAST(:ids AS uuid[])) AND doctor.hospital_name <> ''
    """
)
_PHARMACIES: Final = text(
    """
    SELECT prescription.id, pharmacist.pharmacy_name AS name, coalesce(pharmacy.phone, '') AS phone
    FROM prescriptions AS prescription
    CROSS JOIN LATERAL (
        SELECT pharmacist_id, organisation_id, occurred_at FROM pharmacy_log
        WHERE prescription_id = prescription.id AND action IN ('reject', 'close')
        ORDER BY occurred_at DESC LIMIT 1
    ) AS log
    CROSS JOIN LATERAL (
        SELECT pharmacy_name FROM user_names
        WHERE user_id = log.pharmacist_id AND since <= log.occurred_at
        ORDER BY since DESC LIMIT 1
    ) AS pharmacist
    LEFT JOIN organisations AS pharmacy ON pharmacy.id = log.organisation_id
    WHERE prescription.id = ANY(CAST(:ids AS uuid[]))
    """
)


class WorkplaceRepository:
    """Hospitals and pharmacies by the prescriptions about which they have to say something, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hospitals(self, prescription_ids: Collection[UUID]) -> Mapping[UUID, Workplace]:
        """Returns the hospital of each doctor when they wrote the prescription, with today's phone number."""
        rows = await self._connection.rows(_HOSPITALS, {"ids": list(prescription_ids)})
        return {row["id"]: Workplace(row["name"], row["phone"]) for row in rows}

    async def pharmacies(self, prescription_ids: Collection[UUID]) -> Mapping[UUID, Workplace]:
        """Returns the pharmacy that rejected each prescription or closed its rest, with today's phone number."""
        rows = await self._connection.rows(_PHARMACIES, {"ids": list(prescription_ids)})
        return {row["id"]: Workplace(row["name"], row["phone"]) for row in rows}
