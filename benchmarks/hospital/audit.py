"""The audit of the generated hospital: two records for each prescription, sealed into a true hash chain."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.hospital.facts import Facts, Kind, moment
from benchmarks.hospital.tables import Row
from server.audit.events import AuditEvent
from server.audit.hash_chain import START

RECORDS: Final = 2
"""Records per prescription: its creation, and a read by its doctor."""

_TRANSACTION: Final = 1
_EVENTS: Final = (AuditEvent.PRESCRIPTION_CREATED, AuditEvent.PRESCRIPTION_READ)


@dataclass(frozen=True, slots=True)
class _Record:
    """An audit record; ids are 32 hexadecimal digits."""

    id: str
    second: int
    event: AuditEvent
    doctor: str
    prescription: str
    patient: str

    def canonical(self) -> str:
        """Returns what `hash_chain.next_hash` makes of the record's columns, in a third of its time.

        A test lets the server verify the chain.
        """
        return (
            f'{{"action":"{self.event.action.value}","actor_id":"{_dashed(self.doctor)}","actor_role":"doctor",'
            f'"address":"","event":"{self.event.value}","id":"{_dashed(self.id)}",'
            f'"object_id":"{_dashed(self.prescription)}","object_kind":"prescription",'
            f'"occurred_at":"{moment(self.second)[:19].replace(" ", "T")}.000000+00:00","outcome":0,'
            f'"patient_ids":["{_dashed(self.patient)}"],"purpose":"","reason":"","request_id":"","rpc":"",'
            f'"session_id":null,"transaction_id":{_TRANSACTION},"user_agent":""}}'
        )


class AuditRows:
    """Makes the records and their seals.

    All records belong to one transaction, which is older than any of the server's, so sealing continues after them.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.count = facts.size.prescriptions * RECORDS

    def records(self) -> Iterator[Row]:
        """Yields the records."""
        for one in self._records():
            yield (
                *(one.id, str(_TRANSACTION), moment(one.second), one.event.action.value, one.event.value, "0"),
                *(one.doctor, "doctor", "prescription", one.prescription, "{" + one.patient + "}"),
            )

    def seals(self) -> Iterator[Row]:
        """Yields the seals; each hash covers its record and the hash before it."""
        last = START
        for position, one in enumerate(self._records(), start=1):
            last = hashlib.sha256(last + one.canonical().encode()).digest()
            yield str(position), one.id, str(_TRANSACTION), f"\\\\x{last.hex()}", moment(one.second + 1)

    def _records(self) -> Iterator[_Record]:
        facts = self._facts
        for one in map(facts.prescription, range(facts.size.prescriptions)):
            doctor, patient = facts.user_ids[facts.doctor(one.doctor)], facts.patient_ids[one.patient]
            for step, event in enumerate(_EVENTS):
                position, second = one.number * RECORDS + step, one.created + step
                record_id = facts.id(Kind.AUDIT, position, second)
                yield _Record(record_id, second, event, doctor, one.id, patient)


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
