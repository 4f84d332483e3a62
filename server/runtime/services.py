"""The services of every slice, built on the shared resources: the middle of the composition."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from server.access_log.service import AuditService
from server.auth.factor_seal import FactorSeal
from server.auth.password_hashing import Passwords, hashing_threads
from server.auth.rules.lifetimes import Lifetimes
from server.auth.rules.second_factors import FactorPolicy
from server.auth.services.accounts import AccountService
from server.auth.services.current_password import CurrentPasswordCheck
from server.auth.services.email_changes import EmailChangeService
from server.auth.services.email_confirmation import EmailConfirmation
from server.auth.services.factor_check import FactorCheck
from server.auth.services.factor_gate import FactorGate
from server.auth.services.members import MemberService
from server.auth.services.one_time_codes import CodeService
from server.auth.services.open_sessions import OpenSessionService
from server.auth.services.organisations import OrganisationService
from server.auth.services.passwords import PasswordService
from server.auth.services.profiles import ProfileService
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.second_factors import SecondFactorService
from server.auth.services.second_step import SecondStep
from server.auth.services.sessions import SessionService
from server.auth.services.sign_in_attempts import SignInAttempts
from server.auth.tokens.access_tokens import AccessTokens
from server.clinical.services.controlled_medicines import ControlledMedicines
from server.clinical.services.histories import HistoryService
from server.clinical.services.identification import IdentificationService
from server.clinical.services.patient_emails import PatientEmailService
from server.clinical.services.patients import PatientService
from server.clinical.services.prescriptions import PrescriptionService
from server.clinical.services.qr_codes import QrCodeService
from server.clinical.services.suspensions import SuspensionService
from server.clinical.services.visits import VisitService
from server.config.secrets import derived_key
from server.config.settings import Settings
from server.identity import Role
from server.pagination import PageTokens
from server.pharmacy.entities import ClaimLimits
from server.pharmacy.services.closing import (
    end_claims,
    end_claims_of_member,
    end_claims_of_mover,
    end_claims_of_pharmacy,
)
from server.pharmacy.services.lookup_misses import LookupMisses
from server.pharmacy.services.pharmacy import PharmacyService
from server.queue_admin.service import EventsService
from server.rate_limits.budgets import Budgets
from server.rate_limits.networks import known_networks
from server.rate_limits.usage import RateLimitUsage
from server.runtime.resources import Core, code_seal


@dataclass(frozen=True, slots=True)
class Services:
    """The services, and what the interceptor chain needs of them."""

    access_tokens: AccessTokens
    revocations: RevocationCache
    budgets: Budgets
    gate: FactorGate
    sessions: SessionService
    second_step: SecondStep
    second_factors: SecondFactorService
    open_sessions: OpenSessionService
    accounts: AccountService
    organisations: OrganisationService
    members: MemberService
    mailed_codes: CodeService
    passwords: PasswordService
    profiles: ProfileService
    email_changes: EmailChangeService
    patients: PatientService
    patient_emails: PatientEmailService
    identifications: IdentificationService
    suspensions: SuspensionService
    visits: VisitService
    prescriptions: PrescriptionService
    codes: QrCodeService
    histories: HistoryService
    pharmacy: PharmacyService
    events: EventsService
    rate_limits: RateLimitUsage
    audit: AuditService


@contextmanager
def use_cases(core: Core) -> Iterator[Services]:
    """Builds the services; their threads end with the block."""
    settings, clock, work = core.settings, core.clock, core.work
    ring = core.ring
    page_tokens = PageTokens(*(derived_key(root, "page tokens") for root in (ring.root, *ring.former_roots)))
    access_tokens = AccessTokens(ring, clock, timedelta(seconds=settings.jwt_expires_in))
    revocations = RevocationCache(work, clock)
    networks = known_networks(settings.rate_limit_networks)
    budgets = Budgets(settings.rate_limits, settings.rate_limit_factor, networks)
    attempts = SignInAttempts(work, derived_key(ring.root, "sign-in counters"))
    cap = settings.email_daily_cap
    mailed_codes = CodeService(derived_key(ring.root, "one-time codes"), code_seal(ring), cap)
    confirmation = EmailConfirmation(mailed_codes, core.limiter, budgets.limit_named("confirmation"))
    lifetimes = Lifetimes(staff_idle=timedelta(minutes=settings.staff_idle_minutes))
    identified = settings.requires_identification
    patients = PatientService(work, clock, page_tokens, requires_identification=identified)
    policy = _factor_policy(settings)
    gate = FactorGate(work, policy, clock)
    seal = FactorSeal([derived_key(root, "second factors") for root in (ring.root, *ring.former_roots)])
    factor_check = FactorCheck(work, attempts, seal, clock)
    email_changes = EmailChangeService(work, code_seal(ring), revocations)
    with hashing_threads() as hashing:
        passwords = Passwords(hashing)
        current_password = CurrentPasswordCheck(work, passwords, attempts)
        sessions = SessionService(
            work,
            passwords,
            access_tokens,
            derived_key(ring.root, "refresh-token successor hmac-sha256"),
            revocations,
            attempts,
            lifetimes,
            core.limiter,
            budgets.limit_named("refresh"),
            timedelta(days=settings.sign_in_familiar_days),
        )
        yield Services(
            access_tokens=access_tokens,
            revocations=revocations,
            gate=gate,
            second_step=SecondStep(work, sessions, factor_check, attempts, revocations),
            second_factors=SecondFactorService(work, current_password, factor_check, seal, policy, revocations, clock),
            budgets=budgets,
            sessions=sessions,
            open_sessions=OpenSessionService(work, page_tokens, revocations),
            accounts=AccountService(
                work,
                passwords,
                sessions,
                page_tokens,
                patients.open_record,
                end_claims,
                SuspensionService.suspend_all,
                revocations,
                confirmation,
                confirms_email=settings.confirms_email,
            ),
            organisations=OrganisationService(work, page_tokens, revocations, end_claims_of_pharmacy),
            members=MemberService(work, page_tokens, revocations, end_claims_of_member),
            mailed_codes=mailed_codes,
            passwords=PasswordService(
                work, passwords, mailed_codes, attempts, current_password, revocations, factor_check, policy
            ),
            profiles=ProfileService(
                work,
                current_password,
                confirmation,
                email_changes,
                patients.record_phone,
                end_claims_of_mover,
                gate,
                revocations,
            ),
            email_changes=email_changes,
            patients=patients,
            patient_emails=PatientEmailService(work, revocations, requires_identification=identified),
            identifications=IdentificationService(work, clock),
            suspensions=SuspensionService(work),
            visits=VisitService(work, clock, page_tokens, requires_identification=identified),
            prescriptions=PrescriptionService(
                work,
                clock,
                core.issuer,
                page_tokens,
                valid=timedelta(days=settings.prescription_valid_days),
                controlled=ControlledMedicines(gate, settings.controlled_medicines),
                requires_identification=identified,
            ),
            codes=QrCodeService(work, core.issuer, core.pictures, cap, requires_identification=identified),
            histories=HistoryService(work, clock, mailed_codes, page_tokens),
            pharmacy=PharmacyService(
                work,
                clock,
                core.issuer.keys,
                page_tokens,
                LookupMisses(core.limiter, budgets.limit_named("lookup_misses")),
                lease=timedelta(minutes=settings.claim_minutes),
                limits=ClaimLimits(settings.claim_max_open, settings.claim_max_renewals),
                currency=settings.currency,
            ),
            events=EventsService(work, clock, page_tokens),
            rate_limits=RateLimitUsage(budgets, core.limiter, core.metrics, clock),
            audit=AuditService(work, clock, page_tokens),
        )


def _factor_policy(settings: Settings) -> FactorPolicy:
    """Returns the policy of STAFF_SECOND_FACTOR: all staff or none must have a second factor."""
    staff = frozenset(Role) - {Role.PATIENT} if settings.requires_second_factor else frozenset[Role]()
    return FactorPolicy(staff, timedelta(days=settings.staff_second_factor_grace_days))
