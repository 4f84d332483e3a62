"""Accepted requests of the writes of second factors, with their senders."""

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message
from medconnect.auth.v1 import second_factor_pb2 as factors

from tests.fixtures.actors import PASSWORD, Actor, Actors

MakeSound = Callable[[Actors], tuple[Actor | None, Message]]


def _complete_sign_in(actors: Actors) -> tuple[Actor | None, Message]:
    actor = actors.new_patient()
    challenge, code = actors.challenge(actor), actors.recovery_code(actor)
    return None, factors.CompleteSignInRequest(challenge=challenge, code=code)


def _enrol(actors: Actors) -> tuple[Actor | None, Message]:
    return actors.new_patient(), factors.EnrolTotpRequest(current_password=PASSWORD, label="Phone")


def _confirm(actors: Actors) -> tuple[Actor | None, Message]:
    actor = actors.new_patient()
    factor_id, code = actors.pending_app(actor)
    return actor, factors.ConfirmTotpRequest(factor_id=factor_id, code=code)


def _remove(actors: Actors) -> tuple[Actor | None, Message]:
    actor = actors.new_patient()
    return actor, factors.RemoveSecondFactorRequest(factor_id=actors.app(actor))


def _renew(actors: Actors) -> tuple[Actor | None, Message]:
    actor = actors.new_patient()
    actors.app(actor)
    return actor, factors.RenewRecoveryCodesRequest()


def _verify(actors: Actors) -> tuple[Actor | None, Message]:
    actor = actors.new_patient()
    return actor, factors.VerifySecondFactorRequest(code=actors.recovery_code(actor))


def _reset(actors: Actors) -> tuple[Actor | None, Message]:
    user_id = actors.new_patient().user_id
    return actors.admin, factors.ResetSecondFactorsRequest(user_id=user_id, allow_password_reset=True)


SOUND_FACTORS: Final[Mapping[str, MakeSound]] = {
    "CompleteSignIn": _complete_sign_in,
    "EnrolTotp": _enrol,
    "ConfirmTotp": _confirm,
    "RemoveSecondFactor": _remove,
    "RenewRecoveryCodes": _renew,
    "VerifySecondFactor": _verify,
    "ResetSecondFactors": _reset,
}
