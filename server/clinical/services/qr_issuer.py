"""Issues QR codes, and rebuilds the texts of stored ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from server.clinical.entities import QrCode, QrTextFormat
from server.clinical.validity import LaterValidity
from server.db.identifiers import new_id
from server.qr import mc1, signed_code
from server.qr.key_ring import QrKeyRing
from server.qr.mc1 import Mc1Content
from server.qr.signed_code import QrContent


@dataclass(frozen=True, slots=True)
class QrIssuer:
    """Issues codes that are encrypted with the first key of the key ring."""

    keys: QrKeyRing
    valid: timedelta
    """How long a code can be scanned, at most until its prescription expires."""

    def issue(
        self,
        prescription_id: UUID,
        now: datetime,
        prescription_expires_at: datetime,
        later: LaterValidity | None = None,
    ) -> QrCode:
        """Returns a new code, not stored yet. Its times are whole seconds.

        later: the prescription's validity, if it begins on a later day; the code's own time begins then, too.
        """
        content = QrContent(prescription_id, new_id())
        nonce, key_id = signed_code.new_nonce(), self.keys.key_ids[0]
        issued_at = now.replace(microsecond=0)
        usable_from = issued_at if later is None else max(issued_at, later.starts_at)
        return QrCode(
            id=content.code_id,
            prescription_id=prescription_id,
            key_id=key_id,
            nonce=nonce,
            qr_hash=signed_code.fingerprint(signed_code.encode(content, nonce, key_id, self.keys)),
            issued_at=issued_at,
            expires_at=min(usable_from + self.valid, prescription_expires_at.replace(microsecond=0)),
            replaced_at=None,
            scan_count=0,
            text_format=QrTextFormat.LETTERS,
        )

    def can_read(self, code: QrCode) -> bool:
        """Returns True if the key of a stored code is still in the ring, so that its text can be rebuilt."""
        return code.key_id in self.keys.key_ids

    def text(self, code: QrCode) -> str:
        """Returns the text of a stored code for which `can_read` holds."""
        if code.text_format is QrTextFormat.MC1:
            old = Mc1Content(code.prescription_id, code.id, code.issued_at, code.expires_at)
            return mc1.encode(old, code.nonce, code.key_id, self.keys)
        return signed_code.encode(QrContent(code.prescription_id, code.id), code.nonce, code.key_id, self.keys)
