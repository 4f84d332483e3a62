"""QR codes in the database."""

from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from server.clinical.entities import QrCode, QrTextFormat
from server.clinical.storage.tables import qr_codes
from server.db.connection import Connection

_GET = select(
    qr_codes.c.id,
    qr_codes.c.prescription_id,
    qr_codes.c.key_id,
    qr_codes.c.nonce,
    qr_codes.c.qr_hash,
    qr_codes.c.issued_at,
    qr_codes.c.expires_at,
    qr_codes.c.replaced_at,
    qr_codes.c.scan_count,
    qr_codes.c.text_format,
).where(qr_codes.c.id == bindparam("code_id"))
_COUNT_SCAN = (
    update(qr_codes)
    .where(qr_codes.c.id == bindparam("code_id"))
    .values(scan_count=qr_codes.c.scan_count + 1)
    .returning(qr_codes.c.scan_count)
)
_CLOSE = (
    update(qr_codes)
    .where(qr_codes.c.prescription_id == bindparam("owner_id"), qr_codes.c.replaced_at.is_(None))
    .values(replaced_at=func.now())
)
_OPEN = insert(qr_codes)


class QrCodeRepository:
    """Reads and writes QR codes; the caller of `count_scan` and `replace` must have locked the prescription."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, code_id: UUID) -> QrCode | None:
        """Returns the code, open or replaced; None if it was never issued."""
        row = await self._connection.first(_GET, {"code_id": code_id})
        return None if row is None else QrCode(**{**row, "text_format": QrTextFormat(row["text_format"])})

    async def count_scan(self, code_id: UUID) -> int:
        """Counts a scan of the code and returns the new number of scans."""
        scans: int = await self._connection.scalar(_COUNT_SCAN, {"code_id": code_id})
        return scans

    async def open_new(self, code: QrCode) -> None:
        """Stores the first code of a new prescription."""
        values = {
            "id": code.id,
            "prescription_id": code.prescription_id,
            "key_id": code.key_id,
            "nonce": code.nonce,
            "qr_hash": code.qr_hash,
            "issued_at": code.issued_at,
            "expires_at": code.expires_at,
            "text_format": code.text_format,
        }
        await self._connection.execute(_OPEN, values)

    async def replace(self, code: QrCode) -> None:
        """Stores a new code of a prescription and closes its open one."""
        await self._connection.execute(_CLOSE, {"owner_id": code.prescription_id})
        await self.open_new(code)
