"""Executes a write once: a repetition with the same idempotency key returns the first response. Innermost."""

import re
from typing import Final

from server.api.interceptors.base import Interceptor, Next
from server.api.interceptors.call import Call
from server.api.interceptors.contract import Method
from server.api.interceptors.request_hash import request_hash
from server.audit import audit_context
from server.audit.audit_context import NOTHING, Subject
from server.audit.events import REPLAYED
from server.audit.storage.audit_writer import AuditWriter
from server.db.unit_of_work import UnitOfWork
from server.errors import IdempotencyKeyInvalid, IdempotencyKeyReused
from server.idempotency.storage.idempotency_keys import UNKNOWN_REQUEST, FirstSuccess, IdempotencyRepository, KeyedCall

HEADER: Final = "idempotency-key"

_KEY: Final = re.compile(r"[\x21-\x7e]{16,255}")


class Idempotency(Interceptor):
    """Opens the transaction that the use case joins, and stores its response in it.

    Both are committed together or not at all. hash_key: 32 bytes; the key of the hashes of requests.
    """

    def __init__(self, work: UnitOfWork, hash_key: bytes) -> None:
        self._work = work
        self._hash_key = hash_key

    def concerns(self, method: Method) -> bool:
        """Returns whether the method is a write that accepts a key."""
        return method.idempotent

    async def intercept(self, call: Call, proceed: Next) -> None:
        """Sets `reply` to the stored first success, or proceeds and stores the reply.

        Raises IdempotencyKeyInvalid, IdempotencyKeyReused or RequestInProgress. Failures are not stored.
        """
        if not call.has(HEADER) or call.caller is None or call.message is None:
            await proceed(call)
            return
        keyed = KeyedCall(call.caller.user_id, call.method.full_name, _key(call))
        asked = request_hash(call.message, self._hash_key)
        async with self._work.shared() as transaction:
            first = await transaction[IdempotencyRepository].claim(keyed)
            if first is not None:
                if first.request_hash not in (asked, UNKNOWN_REQUEST):
                    raise IdempotencyKeyReused()
                call.reply = first.response
                call.headers[REPLAYED] = "true"
                if call.method.audit is not None:
                    await transaction[AuditWriter].record(call.method.audit, first.subject, reason=REPLAYED)
            await proceed(call)
            if first is None and call.reply is not None:
                await transaction[IdempotencyRepository].keep(
                    keyed, FirstSuccess(asked, call.reply, _recorded_subject())
                )


def _recorded_subject() -> Subject:
    """Returns the subject of the audit record of the call that has just succeeded."""
    here = audit_context.current()
    return (here and here.recorded) or NOTHING


def _key(call: Call) -> str:
    key = call.first(HEADER)
    if key is None or not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalid()
    return key
