"""Repository of the first success of each keyed call, by caller, method and key."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from server.audit.audit_context import NOTHING, Subject
from server.db.connection import Connection
from server.errors import RequestInProgress

UNKNOWN_REQUEST: Final = b""
"""The hash of requests whose stored hash revealed too much, so migration 0021 erased it. It matches any request."""


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """The scope of a key: the same key of another caller or method is a different key."""

    caller_id: UUID
    method: str
    """The full name, with the service: `medconnect.pharmacy.v1.PharmacyService/ScanQrCode`."""
    key: str


@dataclass(frozen=True, slots=True)
class FirstSuccess:
    """The request hash and response of the first call with a key, as bytes, and the subject of its audit record."""

    request_hash: bytes
    response: bytes
    subject: Subject = NOTHING


# The lock ends with the transaction. It is tried, not awaited: a concurrent second call is refused at once.
CLAIM = text(
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended(:lock, 0)) AS claimed, known.request_hash, known.response,
        known.object_kind, known.object_id, known.patient_ids
    FROM (SELECT) AS nothing
    LEFT JOIN idempotency_keys AS known
      ON known.caller_id = :caller_id AND known.method = :method AND known.key = :key
     AND known.created_at > now() - make_interval(hours => :hours)
    """
).bindparams(hours=24)

# A key that has expired after a day, but has not been purged yet, can be reused.
KEEP = text(
    """
    INSERT INTO idempotency_keys
        (caller_id, method, key, request_hash, response, object_kind, object_id, patient_ids)
    VALUES (:caller_id, :method, :key, :request_hash, :response, :object_kind, :object_id, :patient_ids)
    ON CONFLICT (caller_id, method, key) DO UPDATE
       SET request_hash = excluded.request_hash, response = excluded.response, created_at = now(),
           object_kind = excluded.object_kind, object_id = excluded.object_id, patient_ids = excluded.patient_ids
     WHERE idempotency_keys.created_at <= now() - make_interval(hours => :hours)
    RETURNING true
    """
).bindparams(hours=24)


class IdempotencyRepository:
    """Claims keys and stores first successes for 24 h, in the transaction of the write itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, call: KeyedCall) -> FirstSuccess | None:
        """Returns the first success of this key; if there is none, claims the key until the transaction ends.

        Raises RequestInProgress while another transaction has claimed the key.
        """
        lock = f"{call.caller_id}|{call.method}|{call.key}"
        row = await self._connection.one(CLAIM, {"lock": lock, **_names(call)})
        if row["response"] is not None:
            subject = Subject(row["object_kind"], row["object_id"], tuple(row["patient_ids"]))
            return FirstSuccess(row["request_hash"], row["response"], subject)
        if not row["claimed"]:
            raise RequestInProgress()
        return None

    async def keep(self, call: KeyedCall, success: FirstSuccess) -> None:
        """Stores the first success. Raises RequestInProgress if another one was stored since `claim`."""
        values = {
            **_names(call),
            "request_hash": success.request_hash,
            "response": success.response,
            "object_kind": success.subject.kind,
            "object_id": success.subject.id,
            "patient_ids": list(success.subject.patient_ids),
        }
        kept = await self._connection.scalar(KEEP, values)
        if kept is None:
            raise RequestInProgress()


def _names(call: KeyedCall) -> dict[str, object]:
    return {"caller_id": call.caller_id, "method": call.method, "key": call.key}
