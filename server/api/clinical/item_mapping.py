"""Maps the medicines of prescriptions and their quantities to messages and back."""

from decimal import Decimal
from typing import Final, Protocol

from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1 import prescription_pb2, quantity_pb2

from server.api.wire import enum_pair
from server.clinical.entities import NewPrescriptionItem, PrescriptionItem
from server.clinical.quantities import MOST, QuantityUnit, in_digits
from server.errors import FieldViolation, ValidationFailed

UNIT_NUMBERS, UNITS = enum_pair(quantity_pb2.QuantityUnit, QuantityUnit, "QUANTITY_UNIT")

_RANGE: Final = f"must be above 0 and at most {MOST}"


class _Measured(Protocol):
    """A message with the two fields of a quantity."""

    quantity: int
    exact_quantity: str


def read_quantity(message: _Measured, path: str) -> Decimal:
    """Returns the quantity of the message at `path`: the exact one, or the whole one if that is given alone.

    Raises ValidationFailed for an exact quantity out of range, and if the two disagree.
    """
    if not message.exact_quantity:
        return Decimal(message.quantity)
    exact = Decimal(message.exact_quantity)
    if not 0 < exact <= MOST:
        raise _refusal(f"{path}.exactQuantity", _RANGE)
    if message.quantity not in (0, int(exact)):
        raise _refusal(f"{path}.quantity", f"must be left out or {int(exact)}, exactQuantity rounded down")
    return exact


def _refusal(field: str, message: str) -> ValidationFailed:
    return ValidationFailed(violations=[FieldViolation(field, message)])


def new_item(position: int, message: pb.NewPrescriptionItem) -> NewPrescriptionItem:
    """Returns a medicine to prescribe. Raises ValidationFailed for its quantity."""
    return NewPrescriptionItem(
        medicine_name=message.medicine_name,
        dosage=message.dosage,
        frequency=message.frequency,
        quantity=read_quantity(message, f"items[{position}]"),
        instructions=message.instructions,
        route=message.route,
        duration_days=message.duration_days if message.HasField("duration_days") else None,
        quantity_unit=UNITS[message.quantity_unit] if message.HasField("quantity_unit") else QuantityUnit.PIECE,
        substitution_allowed=message.substitution_allowed or not message.HasField("substitution_allowed"),
    )


def fill_item(message: prescription_pb2.PrescriptionItem, item: PrescriptionItem) -> None:
    """Sets the fields of a medicine of a prescription; the whole quantities are rounded down."""
    message.id = str(item.id)
    message.medicine_name = item.medicine_name
    message.dosage = item.dosage
    message.frequency = item.frequency
    message.quantity = int(item.quantity)
    message.instructions = item.instructions
    message.route = item.route
    if item.duration_days is not None:
        message.duration_days = item.duration_days
    remaining = item.remaining_quantity
    message.dispensed_quantity = int(item.dispensed_quantity)
    message.remaining_quantity = int(remaining)
    message.quantity_unit = UNIT_NUMBERS[item.quantity_unit]
    message.exact_quantity = in_digits(item.quantity)
    message.exact_dispensed_quantity = in_digits(item.dispensed_quantity)
    message.exact_remaining_quantity = in_digits(remaining)
    if not item.substitution_allowed:
        message.substitution_allowed = False
