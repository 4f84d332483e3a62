"""Responses of the scripted service in the tests of the client."""

import base64
import json
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from medconnect.auth.v1 import auth_service_pb2, user_pb2
from medconnect.clinical.v1 import prescription_pb2, quantity_pb2
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import dispensing_pb2, pharmacy_service_pb2

ITEM = prescription_pb2.PrescriptionItem(
    id="i1",
    medicine_name="Doxycycline",
    quantity=20,
    remaining_quantity=20,
    quantity_unit=quantity_pb2.QUANTITY_UNIT_CAPSULE,
    exact_quantity="20",
    exact_dispensed_quantity="0",
    exact_remaining_quantity="20",
)
PRESCRIPTION = dispensing_pb2.PharmacyPrescription(
    id="p1",
    prescription_number="RX-20261130-7K3M9QTD",
    status=prescription_pb2.PRESCRIPTION_STATUS_SCANNED,
    items=[ITEM],
    patient_date_of_birth="1984-02-29",
)
SCANNED = pharmacy_service_pb2.ScanQrCodeResponse(prescription=PRESCRIPTION, is_valid=True, can_dispense=True)
VALIDATED = pharmacy_service_pb2.ValidatePrescriptionResponse(prescription=PRESCRIPTION)
DISPENSED = pharmacy_service_pb2.DispensePrescriptionResponse(
    prescription=PRESCRIPTION, total_amount="24.40", currency="USD"
)
RELEASED = pharmacy_service_pb2.ReleasePrescriptionResponse(prescription=PRESCRIPTION)
CLOSED = pharmacy_service_pb2.ClosePrescriptionResponse(prescription=PRESCRIPTION)
REJECTED = pharmacy_service_pb2.RejectPrescriptionResponse(prescription=PRESCRIPTION)
USER = user_pb2.User(id="u1", email="p@example.org", role=access_pb2.ROLE_PHARMACIST)


def access_token(name: str, life: float = 900.0) -> str:
    """Returns an unsigned token with a lifetime of `life` seconds."""
    claims = json.dumps({"iat": 0, "exp": life, "jti": name}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def signed_in(name: str = "first", life: float = 900.0) -> auth_service_pb2.LoginResponse:
    """Returns the response to a sign-in, with tokens of that name."""
    return auth_service_pb2.LoginResponse(
        user=USER, access_token=access_token(name, life), refresh_token=f"refresh-{name}", expires_at=ends(life)
    )


def refreshed(name: str, life: float = 900.0) -> auth_service_pb2.RefreshTokenResponse:
    """Returns the response to a refresh, with tokens of that name."""
    return auth_service_pb2.RefreshTokenResponse(
        user=USER, access_token=access_token(name, life), refresh_token=f"refresh-{name}", expires_at=ends(life)
    )


def ends(life: float) -> Timestamp:
    """Returns the time `life` seconds after the start of the tests' clock."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime(2026, 12, 1, 10, tzinfo=UTC) + timedelta(seconds=life))
    return stamp


def found() -> pharmacy_service_pb2.LookupPrescriptionsResponse:
    """Returns the response to a lookup of the one prescription."""
    one = dispensing_pb2.FoundPrescription(prescription=PRESCRIPTION, is_valid=True, can_dispense=True)
    return pharmacy_service_pb2.LookupPrescriptionsResponse(prescriptions=[one])
