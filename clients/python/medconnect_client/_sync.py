"""The blocking client: a wrapper for each asynchronous class, method by method."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Self

from medconnect_client._auth import AsyncAuth
from medconnect_client._blocking import LOOP, Blocking, Entered, blocking, iterating
from medconnect_client._calls import Progress
from medconnect_client._channel import Tls
from medconnect_client._client import AsyncClient, always_attended, unwatched
from medconnect_client._clinical import AsyncClinical
from medconnect_client._clock import Clock
from medconnect_client._events import AsyncEvents
from medconnect_client._organisations import AsyncOrganisations
from medconnect_client._pharmacy import AsyncClaim, AsyncPharmacy
from medconnect_client._retry import RetryPolicy
from medconnect_client._second_factors import AsyncSecondFactors
from medconnect_client._tokens import TokenStore
from medconnect_client.models import PharmacyPrescription


class Auth(Blocking[AsyncAuth]):
    """The Auth service; `sign_in` and `sign_out` are methods of the client."""

    register = blocking(AsyncAuth.register)
    sessions = iterating(AsyncAuth.sessions)
    end_session = blocking(AsyncAuth.end_session)
    end_other_sessions = blocking(AsyncAuth.end_other_sessions)
    forgot_password = blocking(AsyncAuth.forgot_password)
    reset_password = blocking(AsyncAuth.reset_password)
    change_password = blocking(AsyncAuth.change_password)
    key_set = blocking(AsyncAuth.key_set)
    current_user = blocking(AsyncAuth.current_user)
    update_current_user = blocking(AsyncAuth.update_current_user)
    confirm_email = blocking(AsyncAuth.confirm_email)
    undo_email_change = blocking(AsyncAuth.undo_email_change)
    create_user = blocking(AsyncAuth.create_user)
    users = iterating(AsyncAuth.users)
    user = blocking(AsyncAuth.user)
    look_alikes = blocking(AsyncAuth.look_alikes)
    verify_user = blocking(AsyncAuth.verify_user)
    deactivate_user = blocking(AsyncAuth.deactivate_user)
    reactivate_user = blocking(AsyncAuth.reactivate_user)
    user_sessions = iterating(AsyncAuth.user_sessions)
    end_user_sessions = blocking(AsyncAuth.end_user_sessions)
    audit_records = iterating(AsyncAuth.audit_records)


class SecondFactors(Blocking[AsyncSecondFactors]):
    """The SecondFactor service; `complete_sign_in` is a method of the client."""

    current = blocking(AsyncSecondFactors.current)
    enrol_totp = blocking(AsyncSecondFactors.enrol_totp)
    confirm_totp = blocking(AsyncSecondFactors.confirm_totp)
    remove = blocking(AsyncSecondFactors.remove)
    renew_recovery_codes = blocking(AsyncSecondFactors.renew_recovery_codes)
    verify = blocking(AsyncSecondFactors.verify)
    reset = blocking(AsyncSecondFactors.reset)


class Organisations(Blocking[AsyncOrganisations]):
    """The Organisation service."""

    create = blocking(AsyncOrganisations.create)
    list = iterating(AsyncOrganisations.list)
    get = blocking(AsyncOrganisations.get)
    update = blocking(AsyncOrganisations.update)
    close = blocking(AsyncOrganisations.close)
    members = iterating(AsyncOrganisations.members)
    add_member = blocking(AsyncOrganisations.add_member)
    change_right = blocking(AsyncOrganisations.change_right)
    end_membership = blocking(AsyncOrganisations.end_membership)
    own = blocking(AsyncOrganisations.own)
    choose = blocking(AsyncOrganisations.choose)


class Clinical(Blocking[AsyncClinical]):
    """The Clinical service."""

    patients = iterating(AsyncClinical.patients)
    create_patient = blocking(AsyncClinical.create_patient)
    patient = blocking(AsyncClinical.patient)
    update_patient = blocking(AsyncClinical.update_patient)
    identify_patient = blocking(AsyncClinical.identify_patient)
    bind_patient_email = blocking(AsyncClinical.bind_patient_email)
    detach_patient_email = blocking(AsyncClinical.detach_patient_email)
    create_prescription = blocking(AsyncClinical.create_prescription)
    prescriptions = iterating(AsyncClinical.prescriptions)
    prescription = blocking(AsyncClinical.prescription)
    cancel_prescription = blocking(AsyncClinical.cancel_prescription)
    resume_prescription = blocking(AsyncClinical.resume_prescription)
    create_visit = blocking(AsyncClinical.create_visit)
    visits = iterating(AsyncClinical.visits)
    profile = blocking(AsyncClinical.profile)
    update_profile = blocking(AsyncClinical.update_profile)
    my_prescriptions = iterating(AsyncClinical.my_prescriptions)
    qr_code = blocking(AsyncClinical.qr_code)
    qr_code_image = blocking(AsyncClinical.qr_code_image)
    reissue_qr_code = blocking(AsyncClinical.reissue_qr_code)
    send_prescription_email = blocking(AsyncClinical.send_prescription_email)
    access_log = iterating(AsyncClinical.access_log)
    patient_history = iterating(AsyncClinical.patient_history)
    record_versions = iterating(AsyncClinical.record_versions)
    my_record_versions = iterating(AsyncClinical.my_record_versions)
    request_history_access = blocking(AsyncClinical.request_history_access)
    confirm_history_access = blocking(AsyncClinical.confirm_history_access)
    medical_history = iterating(AsyncClinical.medical_history)
    existing_conditions = blocking(AsyncClinical.existing_conditions)


class Events(Blocking[AsyncEvents]):
    """The Events service."""

    email_queue = blocking(AsyncEvents.email_queue)
    watch_email_queue = iterating(AsyncEvents.watch_email_queue)
    watch_emails = iterating(AsyncEvents.watch_emails)
    emails = iterating(AsyncEvents.emails)
    retry_email = blocking(AsyncEvents.retry_email)
    clear_completed_emails = blocking(AsyncEvents.clear_completed_emails)
    emit_test_event = blocking(AsyncEvents.emit_test_event)
    rate_limit_usage = blocking(AsyncEvents.rate_limit_usage)


class Claim(Blocking[AsyncClaim]):
    """The caller's claim on a prescription."""

    renew = blocking(AsyncClaim.renew)
    dispense = blocking(AsyncClaim.dispense)
    reject = blocking(AsyncClaim.reject)
    close = blocking(AsyncClaim.close)
    release = blocking(AsyncClaim.release)

    @property
    def prescription(self) -> PharmacyPrescription:
        """The prescription as of the last validation: when it was claimed, or when the claim was renewed."""
        return self._asynchronous.prescription

    @property
    def expires_at(self) -> datetime:
        """The time when the claim expires, by the server's clock."""
        return self._asynchronous.expires_at


class Pharmacy(Blocking[AsyncPharmacy]):
    """The Pharmacy service."""

    scan = blocking(AsyncPharmacy.scan)
    lookup = blocking(AsyncPharmacy.lookup)
    validate = blocking(AsyncPharmacy.validate)
    dispense = blocking(AsyncPharmacy.dispense)
    reject = blocking(AsyncPharmacy.reject)
    close = blocking(AsyncPharmacy.close)
    release = blocking(AsyncPharmacy.release)
    end_claim = blocking(AsyncPharmacy.end_claim)
    history = iterating(AsyncPharmacy.history)
    log = iterating(AsyncPharmacy.log)
    receipt = blocking(AsyncPharmacy.receipt)

    def claim(self, prescription_id: str, notes: str | None = None) -> AbstractContextManager[Claim]:
        """Claims a prescription while the block runs; leaving the block releases the claim unless it has ended.

        Raises NotFound without a scan or lookup in the last 24 h, ClaimedByOther, and the errors of final states. On
        exit it raises errors of the release, but never in place of the block's own exception.
        """
        return Entered(self._asynchronous.claim(prescription_id, notes), Claim)


class Client(Blocking[AsyncClient]):
    """A blocking client for MedConnect, with the parameters and the behaviour of `AsyncClient`."""

    sign_in = blocking(AsyncClient.sign_in)
    complete_sign_in = blocking(AsyncClient.complete_sign_in)
    sign_out = blocking(AsyncClient.sign_out)
    close = blocking(AsyncClient.close)

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | None = None,
        tokens: TokenStore | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = 15.0,
        attempt_timeout: float = 5.0,
        observer: Callable[[Progress], None] = unwatched,
        attended: Callable[[], bool] = always_attended,
        clock: Clock | None = None,
    ) -> None:
        client = LOOP.call(
            lambda: AsyncClient(
                address,
                tls=tls,
                tokens=tokens,
                retry=retry,
                timeout=timeout,
                attempt_timeout=attempt_timeout,
                observer=observer,
                attended=attended,
                clock=clock,
            )
        )
        super().__init__(client)
        self.auth = Auth(client.auth)
        """Calls about accounts."""
        self.second_factors = SecondFactors(client.second_factors)
        """Calls about second factors."""
        self.organisations = Organisations(client.organisations)
        """Calls about hospitals and pharmacies, and their members."""
        self.clinical = Clinical(client.clinical)
        """Calls about patients, visits, prescriptions and QR codes."""
        self.pharmacy = Pharmacy(client.pharmacy)
        """Calls for scanning, claiming and dispensing."""
        self.events = Events(client.events)
        """Calls about the email queue."""

    @property
    def signed_in(self) -> bool:
        """True if the client has the tokens of a session."""
        return self._asynchronous.signed_in

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
