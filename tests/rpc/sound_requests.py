"""Accepted requests for every write that together fill in every field: the templates for invalid values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import Message
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import session_pb2, user_pb2
from medconnect.clinical.v1 import clinical_service_pb2 as clinical
from medconnect.clinical.v1 import email_detachment_pb2, identification_pb2, patient_pb2, quantity_pb2, visit_pb2
from medconnect.clinical.v1 import patient_email_service_pb2 as patient_emails
from medconnect.clinical.v1 import patient_identity_service_pb2 as identity
from medconnect.clinical.v1 import suspension_service_pb2 as suspension
from medconnect.events.v1 import events_service_pb2 as events
from medconnect.options.v1 import access_pb2
from medconnect.pharmacy.v1 import pharmacy_service_pb2 as pharmacy

from tests.fixtures.actors import PASSWORD, Actor, new_email
from tests.fixtures.users import new_issuer
from tests.rpc.organisation_requests import SOUND_ORGANISATIONS, SoundRequests
from tests.rpc.sound_factors import SOUND_FACTORS, MakeSound
from tests.rpc.sound_world import World

NONCE: Final = "kN3v0Qm5Yt8Zr1Xw6Bc2Da"
"""Identifies the client that asks for a reset code."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Valid requests of a method, and their senders."""

    actor: Actor | None
    requests: tuple[Message, ...]
    senders: tuple[Actor, ...] = ()
    """The sender of each request, if they differ."""

    def sent(self) -> Iterator[tuple[Message, Actor | None]]:
        """Returns each request with its sender."""
        return zip(self.requests, self.senders or (self.actor,) * len(self.requests), strict=True)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the sender's REST calls."""
        return self.actor.headers if self.actor else {}


DETAILS: Final[Mapping[str, Any]] = {
    "phone": "+49 30 123456",
    "date_of_birth": "1984-02-29",
    "gender": patient_pb2.GENDER_FEMALE,
    "blood_type": "AB-",
    "address": "Main Street 1",
    "emergency_contact": "Carl Contact",
    "emergency_phone": "030 (123) 456-7",
    "insurance_provider": "Healthy Life",
    "insurance_number": "HL-1",
    "allergies": ["Penicillin", "Nuts"],
    "existing_conditions": ["Asthma", "Gout"],
}


def sound(rpc: str, world: World) -> Sound:
    """Returns the valid requests of that method."""
    return _SOUND[rpc](world)


def _accounts(request: Callable[..., Message]) -> tuple[Message, ...]:
    who = {"password": PASSWORD, "full_name": "Ada Account"}
    doctor = {
        "license_number": "MD-2",
        "license_issuer": new_issuer(),
        "specialization": "Surgery",
        "hospital_name": "St. Luke's",
    }
    shop = {
        "license_number": "PH-2",
        "license_issuer": new_issuer(),
        "pharmacy_name": "Harbour",
        "pharmacy_address": "Quay 1",
    }
    return (
        request(email=new_email(), role=access_pb2.ROLE_PATIENT, **who, **DETAILS),
        request(email=new_email(), role=access_pb2.ROLE_DOCTOR, **who, **doctor),
        request(email=new_email(), role=access_pb2.ROLE_PHARMACIST, **who, **shop),
    )


def _login(world: World) -> auth.LoginRequest:
    return auth.LoginRequest(email=world.visitor.email, password=PASSWORD)


def _refresh_token(world: World) -> auth.RefreshTokenRequest:
    return auth.RefreshTokenRequest(refresh_token=world.actors.auth.Login(_login(world)).refresh_token, unattended=True)


def _reset_password(world: World, nonce: str = "") -> auth.ResetPasswordRequest:
    actor = world.actors.new_patient()
    code = world.actors.reset_code(actor, nonce)
    return auth.ResetPasswordRequest(
        email=actor.email,
        otp_code=code,
        new_password=PASSWORD,
        client_nonce=nonce or None,
        second_factor_code="123456",  # the account has no second factor, so any code will do
    )


def _forgot_password(world: World) -> Sound:
    email = world.visitor.email
    requests = (auth.ForgotPasswordRequest(email=email), auth.ForgotPasswordRequest(email=email, client_nonce=NONCE))
    return Sound(None, requests)


def _change_password(_: World) -> auth.ChangePasswordRequest:
    return auth.ChangePasswordRequest(current_password=PASSWORD, new_password="another way in, 2041")


def _updates_of_account(world: World) -> Sound:
    update = auth.UpdateCurrentUserRequest
    pharmacist, other, doctor = world.actors.new_pharmacist(), world.actors.new_pharmacist(), world.actors.new_doctor()
    workplace = {"pharmacy_name": "Harbour", "pharmacy_address": "Quay 1"}
    email = {"email": new_email(), "current_password": PASSWORD}
    requests = (
        update(phone="+49 30 123456", **workplace, **email),
        update(clear=["phone", "pharmacyAddress"]),
        update(hospital_name="St. Luke's"),
    )
    return Sound(pharmacist, requests, (pharmacist, other, doctor))


def _end_session(world: World) -> Sound:
    patient = world.actors.new_patient()
    elsewhere = world.actors.sign_in(patient.email)
    return Sound(patient, (auth.EndSessionRequest(session_id=world.actors.session_id(elsewhere)),))


def _end_user_sessions(world: World) -> auth.EndUserSessionsRequest:
    return auth.EndUserSessionsRequest(
        user_id=world.actors.new_patient().user_id, reason=session_pb2.END_SESSIONS_REASON_MISUSE_SUSPECTED
    )


def _deactivation(world: World) -> auth.DeactivateUserRequest:
    return auth.DeactivateUserRequest(
        user_id=world.actors.new_patient().user_id, reason=user_pb2.DEACTIVATION_REASON_LEFT
    )


def _of_factors(make: MakeSound) -> Callable[[World], Sound]:
    def sound_of(world: World) -> Sound:
        actor, request = make(world.actors)
        return Sound(actor, (request,))

    return sound_of


def _of_organisations(make: SoundRequests) -> Callable[[World], Sound]:
    return lambda world: Sound(*make(world.actors))


def _confirmation(world: World) -> Sound:
    patient = world.actors.new_patient()
    return Sound(patient, (auth.ConfirmEmailRequest(otp_code=world.actors.confirmation_code(patient)),))


def _history_access(world: World) -> Sound:
    patient = world.actors.new_patient()
    return Sound(patient, (clinical.ConfirmHistoryAccessRequest(otp_code=world.actors.history_code(patient)),))


def _unverified(world: World) -> auth.VerifyUserRequest:
    unverified = world.actors.new_unverified(access_pb2.ROLE_DOCTOR)
    return auth.VerifyUserRequest(user_id=unverified.user_id, license_issuer=new_issuer())


def _prescriptions(world: World) -> tuple[Message, ...]:
    exact = {"exact_quantity": "2.5", "quantity_unit": quantity_pb2.QUANTITY_UNIT_ML, "substitution_allowed": True}
    later = _prescription(world, exact)
    later.valid_from, later.valid_days = (datetime.now(UTC).date() + timedelta(days=7)).isoformat(), 30
    return _prescription(world, {"quantity": 20}), later


def _prescription(world: World, quantity: Mapping[str, Any]) -> clinical.CreatePrescriptionRequest:
    item = clinical.NewPrescriptionItem(
        medicine_name="Doxycycline",
        dosage="100 mg",
        frequency="twice a day",
        instructions="after meals\nwith water",
        route="oral",
        duration_days=10,
        **quantity,
    )
    return clinical.CreatePrescriptionRequest(
        patient_id=world.patient.patient_id,
        visit_id=world.visit_id,
        diagnosis="Acute sinusitis",
        doctor_notes="first line\nsecond line",
        items=[item, item],
    )


def _visit(world: World) -> clinical.CreateMedicalVisitRequest:
    signs = visit_pb2.VitalSigns(blood_pressure="120/80", heart_rate=70, temperature=36.6, weight=70.5, height=175)
    return clinical.CreateMedicalVisitRequest(
        patient_id=world.record_id,
        visit_date="2026-01-31",
        visit_type=visit_pb2.VISIT_TYPE_FOLLOW_UP,
        chief_complaint="headache",
        symptoms="pain",
        diagnosis="migraine",
        treatment_notes="rest",
        recommendations="sleep",
        hospital_name="St. Luke's",
        vital_signs=signs,
    )


def _dispensings(world: World) -> tuple[Message, ...]:
    unit = quantity_pb2.QUANTITY_UNIT_PIECE
    exact = {"exact_quantity": "2.5", "quantity_unit": unit, "product_code": "04012345678901"}
    other = {"dispensed_medicine_name": "Generic", "substitution_reason": "first line\nsecond line"}
    return _dispensing(world, {"quantity": 10}), _dispensing(world, exact | other)


def _dispensing(world: World, quantity: Mapping[str, Any]) -> pharmacy.DispensePrescriptionRequest:
    held = world.held(10, 20)
    request = pharmacy.DispensePrescriptionRequest(prescription_id=held.id, notes="all of it")
    for item in held.items:
        request.items.add(item_id=item.id, unit_price="12.50", batch_number="B-7", expiry_date="2099-12-31", **quantity)
    return request


def _begun(world: World) -> str:
    """Returns the id of a prescription of which the pharmacist has dispensed a part."""
    request = _dispensing(world, {"quantity": 1})
    world.actors.pharmacy.DispensePrescription(request, metadata=world.actors.pharmacist.metadata)
    return request.prescription_id


def _updates_of_record(world: World) -> tuple[Message, ...]:
    update = clinical.UpdatePatientRequest
    email = new_email()
    record_id = world.record(email)
    given = {"full_name": "Nora Newname", "email": email, "version": 1, **DETAILS}
    cleared = update(patient_id=record_id, clear=["phone", "allergies"], no_known_allergies=True, version=2)
    return update(patient_id=record_id, **given), cleared


def _identifications(world: World) -> tuple[Message, ...]:
    document = identification_pb2.IDENTIFICATION_DOCUMENT_OTHER
    identify, record_id = identity.IdentifyPatientRequest, world.record()
    return (identify(patient_id=record_id, document=document, note="Seaman's book", date_of_birth="1990-02-28"),)


def _detachments(world: World) -> tuple[Message, ...]:
    detach, reason = patient_emails.DetachPatientEmailRequest, email_detachment_pb2.EMAIL_DETACH_REASON_MAILBOX_LOST
    return (detach(patient_id=world.record(new_email()), reason=reason),)


def _updates_of_profile(world: World) -> tuple[Message, ...]:
    given = {name: value for name, value in DETAILS.items() if name != "existing_conditions"} | {"full_emails": True}
    update = clinical.UpdateProfileRequest
    version = world.version(world.patient.patient_id)
    cleared = update(version=version + 1, clear=["phone", "allergies"], no_known_allergies=True)
    return update(version=version, **given), cleared


def _new_patients(_: World) -> tuple[Message, ...]:
    create, document = clinical.CreatePatientRequest, identification_pb2.IDENTIFICATION_DOCUMENT_PASSPORT
    without = {**DETAILS, "full_name": "Noel Noallergy", "allergies": [], "no_known_allergies": True}
    return create(email=new_email(), full_name="Pia Patient", document=document, **DETAILS), create(**without)


def _reference(world: World) -> pharmacy.LookupPrescriptionsRequest:
    request = clinical.GetPrescriptionRequest(prescription_id=world.written())
    found = world.actors.clinical.GetPrescription(request, metadata=world.actors.doctor.metadata).prescription
    return pharmacy.LookupPrescriptionsRequest(reference_number=found.prescription_number)


_SOUND: Final[Mapping[str, Callable[[World], Sound]]] = {
    "Register": lambda _: Sound(None, _accounts(auth.RegisterRequest)),
    "Login": lambda w: Sound(None, (_login(w),)),
    "RefreshToken": lambda w: Sound(None, (_refresh_token(w),)),
    "EndSession": _end_session,
    "EndOtherSessions": lambda w: Sound(w.actors.new_patient(), (auth.EndOtherSessionsRequest(),)),
    "EndUserSessions": lambda w: Sound(w.actors.admin, (_end_user_sessions(w),)),
    **{name: _of_factors(make) for name, make in SOUND_FACTORS.items()},
    **{name: _of_organisations(make) for name, make in SOUND_ORGANISATIONS.items()},
    "ForgotPassword": _forgot_password,
    "ResetPassword": lambda w: Sound(None, (_reset_password(w), _reset_password(w, NONCE))),
    "ChangePassword": lambda w: Sound(w.actors.new_patient(), (_change_password(w),)),
    "UpdateCurrentUser": _updates_of_account,
    "ConfirmEmail": _confirmation,
    "UndoEmailChange": lambda w: Sound(None, (auth.UndoEmailChangeRequest(token=w.actors.undo_token()),)),
    "DeactivateUser": lambda w: Sound(w.actors.admin, (_deactivation(w),)),
    "ReactivateUser": lambda w: Sound(
        w.actors.admin, (auth.ReactivateUserRequest(user_id=w.actors.new_patient().user_id),)
    ),
    "CreateUser": lambda w: Sound(w.actors.admin, _accounts(auth.CreateUserRequest)),
    "VerifyUser": lambda w: Sound(w.actors.admin, (_unverified(w),)),
    "CreatePatient": lambda w: Sound(w.actors.doctor, _new_patients(w)),
    "IdentifyPatient": lambda w: Sound(w.actors.doctor, _identifications(w)),
    "BindPatientEmail": lambda w: Sound(
        w.actors.doctor, (patient_emails.BindPatientEmailRequest(patient_id=w.record(), email=new_email()),)
    ),
    "DetachPatientEmail": lambda w: Sound(w.actors.doctor, _detachments(w)),
    "UpdatePatient": lambda w: Sound(w.actors.doctor, _updates_of_record(w)),
    "CreatePrescription": lambda w: Sound(w.actors.doctor, _prescriptions(w)),
    "ResumePrescription": lambda w: Sound(
        w.actors.new_doctor("Sound Hospital"), (suspension.ResumePrescriptionRequest(prescription_id=w.suspended()),)
    ),
    "CancelPrescription": lambda w: Sound(
        w.actors.doctor, (clinical.CancelPrescriptionRequest(prescription_id=w.written(), reason="no longer needed"),)
    ),
    "CreateMedicalVisit": lambda w: Sound(w.actors.doctor, (_visit(w),)),
    "UpdateProfile": lambda w: Sound(w.patient, _updates_of_profile(w)),
    "RequestHistoryAccess": lambda w: Sound(w.visitor, (clinical.RequestHistoryAccessRequest(),)),
    "ConfirmHistoryAccess": _history_access,
    "ReissueQrCode": lambda w: Sound(w.actors.doctor, (clinical.ReissueQrCodeRequest(prescription_id=w.written()),)),
    "SendPrescriptionEmail": lambda w: Sound(
        w.actors.doctor, (clinical.SendPrescriptionEmailRequest(prescription_id=w.mailable()),)
    ),
    "RetryEmail": lambda w: Sound(w.actors.admin, (events.RetryEmailRequest(email_id=w.actors.failed_mail()),)),
    "ClearCompletedEmails": lambda w: Sound(w.actors.admin, (events.ClearCompletedEmailsRequest(),)),
    "EmitTestEvent": lambda w: Sound(
        w.actors.admin, (events.EmitTestEventRequest(event_type="prescription.created", data={"ward": "3"}),)
    ),
    "ScanQrCode": lambda w: Sound(
        w.actors.pharmacist, (pharmacy.ScanQrCodeRequest(qr_code=w.actors.qr_text(w.written())),)
    ),
    "LookupPrescriptions": lambda w: Sound(w.actors.pharmacist, (_reference(w),)),
    "ValidatePrescription": lambda w: Sound(
        w.actors.pharmacist, (pharmacy.ValidatePrescriptionRequest(prescription_id=w.scanned(), notes="fine"),)
    ),
    "DispensePrescription": lambda w: Sound(w.actors.pharmacist, _dispensings(w)),
    "RejectPrescription": lambda w: Sound(
        w.actors.pharmacist, (pharmacy.RejectPrescriptionRequest(prescription_id=w.scanned(), reason="wrong dose"),)
    ),
    "ClosePrescription": lambda w: Sound(
        w.actors.pharmacist, (pharmacy.ClosePrescriptionRequest(prescription_id=_begun(w), reason="not available"),)
    ),
    "ReleasePrescription": lambda w: Sound(
        w.actors.pharmacist, (pharmacy.ReleasePrescriptionRequest(prescription_id=w.held().id),)
    ),
    "EndClaim": lambda w: Sound(w.patient, (pharmacy.EndClaimRequest(prescription_id=w.claimed()),)),
}
