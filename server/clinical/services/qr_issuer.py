"""Issues QR codes, and rebuilds the texts of stored ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from server.clinical.entities import QrCode
from server.db.identifiers import new_id
from server.qr import signed_code
from server.qr.signed_code import QrContent, QrKeyRing


@dataclass(frozen=True, slots=True)
class QrIssuer:
    """Issues codes that are encrypted with the first key of the key ring."""

    keys: QrKeyRing
    valid: timedelta
    """How long a code can be scanned, at most until its prescription expires."""

    def issue(self, prescription_id: UUID, now: datetime, prescription_expires_at: datetime) -> QrCode:
        """Returns a new code, not stored yet. Its times are whole seconds, because its text holds no fractions."""
        issued_at = now.replace(microsecond=0)
        content = QrContent(
            prescription_id=prescription_id,
            code_id=new_id(),
            issued_at=issued_at,
            expires_at=min(issued_at + self.valid, prescription_expires_at.replace(microsecond=0)),
        )
        nonce = signed_code.new_nonce()
        key_id = self.keys.key_ids[0]
        return QrCode(
            id=content.code_id,
            prescription_id=prescription_id,
            key_id=key_id,
            nonce=nonce,
            qr_hash=signed_code.fingerprint(signed_code.encode(content, nonce, key_id, self.keys)),
            issued_at=content.issued_at,
            expires_at=content.expires_at,
            replaced_at=None,
            scan_count=0,
        )

    def can_read(self, code: QrCode) -> bool:
        """Returns True if the key of a stored code is still in the ring, so that its text can be rebuilt."""
        return code.key_id in self.keys.key_ids

    def text(self, code: QrCode) -> str:
        """Returns the text of a stored code for which `can_read` holds."""
        content = QrContent(code.prescription_id, code.id, code.issued_at, code.expires_at)
        return signed_code.encode(content, code.nonce, code.key_id, self.keys)
