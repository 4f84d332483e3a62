"""Decides which emails have a QR code."""

from server.clinical.entities import Prescription
from server.clinical.services.qr_issuer import QrIssuer
from server.mailer.rendering import ENDED


def qr_text(prescription: Prescription, codes: QrIssuer) -> str | None:
    """Returns the text of the prescription's QR code, or None when no pharmacy would accept it.

    A code is not accepted when it is used, expired, or encrypted under a key that is no longer configured.
    """
    code = prescription.qr_code
    over = prescription.status in ENDED or code.expires_at <= prescription.as_of
    return None if over or not codes.can_read(code) else codes.text(code)
