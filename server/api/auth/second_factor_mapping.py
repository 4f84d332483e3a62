"""Maps messages and entities of second factors to each other."""

from collections.abc import Iterable

from medconnect.auth.v1 import second_factor_pb2 as pb

from server.api.wire import enum_pair, timestamp
from server.auth.entities import FactorKind, NewApp, SecondFactor, SecondFactors
from server.qr import picture

_KIND_NUMBERS = enum_pair(pb.SecondFactorKind, FactorKind, "SECOND_FACTOR_KIND")[0]


def factor_message(factor: SecondFactor) -> pb.SecondFactor:
    """Returns a factor as its owner sees it."""
    return pb.SecondFactor(
        id=str(factor.id),
        kind=_KIND_NUMBERS[factor.kind],
        label=factor.label,
        created_at=timestamp(factor.created_at),
        last_used_at=None if factor.last_used_at is None else timestamp(factor.last_used_at),
    )


def factors_response(found: SecondFactors) -> pb.GetSecondFactorsResponse:
    """Returns the response with the caller's factors."""
    return pb.GetSecondFactorsResponse(
        factors=map(factor_message, found.factors),
        recovery_codes_left=found.recovery_codes_left,
        required=found.required,
        required_from=None if found.required_from is None else timestamp(found.required_from),
    )


def enrol_response(app: NewApp) -> pb.EnrolTotpResponse:
    """Returns the response with the values of a new app and their QR code, drawn in about a millisecond."""
    image = picture.data_url(picture.png(app.address))
    return pb.EnrolTotpResponse(factor_id=str(app.factor_id), secret=app.secret, uri=app.address, qr_image=image)


def confirm_response(factor: SecondFactor, recovery_codes: Iterable[str]) -> pb.ConfirmTotpResponse:
    """Returns the response with a factor that works now, and the recovery codes that come with the first one."""
    return pb.ConfirmTotpResponse(factor=factor_message(factor), recovery_codes=recovery_codes)
