"""Use cases of sessions: signing in, refreshing and signing out."""

from collections.abc import Set
from datetime import datetime, timedelta
from uuid import UUID

from server import email_address
from server.audit import audit_context
from server.audit.audit_context import Subject
from server.audit.events import AuditEvent, Outcome
from server.audit.storage.audit_writer import AuditWriter
from server.auth.entities import FactorKind, PresentedToken, SignedIn, SignInOrigin, Tokens, User, UserStatus
from server.auth.events import UnfamiliarSignIn
from server.auth.password_hashing import Passwords
from server.auth.rules.devices import device_name
from server.auth.rules.lifetimes import MAX_SESSIONS, Lifetimes
from server.auth.rules.origins import is_unfamiliar, network_of
from server.auth.rules.second_factors import challenge_hash, new_challenge
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.sign_in_attempts import Attempt, SignInAttempts
from server.auth.storage.accounts import AccountRepository
from server.auth.storage.second_factors import SecondFactorRepository
from server.auth.storage.sessions import SessionRepository
from server.auth.storage.sign_in_origins import SignInOriginRepository
from server.auth.tokens.access_tokens import AccessTokens
from server.auth.tokens.refresh_tokens import new_refresh_token, stored_hash, successor
from server.db.identifiers import new_id
from server.db.unit_of_work import Transaction, UnitOfWork
from server.errors import InvalidCredentials, RefreshTokenInvalid, SecondFactorRequired
from server.events.storage.events import EventRepository
from server.identity import Caller
from server.rate_limits.bucket import Limit
from server.rate_limits.rate_limiter import RateLimiter


class SessionService:
    """Implements the use cases of sessions.

    successor_key: derives the successor of a refresh token.
    refreshes: the limit of refreshes per session. familiar_for: how long after a sign-in its device and network are
    familiar (`SIGN_IN_FAMILIAR_DAYS`).
    """

    def __init__(
        self,
        work: UnitOfWork,
        passwords: Passwords,
        access_tokens: AccessTokens,
        successor_key: bytes,
        revocations: RevocationCache,
        attempts: SignInAttempts,
        lifetimes: Lifetimes,
        limiter: RateLimiter,
        refreshes: Limit,
        familiar_for: timedelta,
    ) -> None:
        self._work = work
        self._passwords = passwords
        self._access_tokens = access_tokens
        self._successor_key = successor_key
        self._revocations = revocations
        self._attempts = attempts
        self._lifetimes = lifetimes
        self._limiter = limiter
        self._refreshes = refreshes
        self._familiar_for = familiar_for

    async def login(self, email: str, password: str, address: str = "") -> SignedIn:
        """Opens a session for a correct password; the oldest session ends if there are more than MAX_SESSIONS.

        address: the client address of the call. Raises InvalidCredentials, equally and after the same work for an
        unknown email, a wrong password and a deactivated account; RateLimitExceeded while the account is delayed; and
        SecondFactorRequired, with the challenge that SecondStep takes, if the account has a second factor.
        """
        async with self._attempts.counted(email_address.normal(email), address) as attempt:
            return await self._login(email_address.normal(email), password, attempt)

    async def _login(self, email: str, password: str, attempt: Attempt) -> SignedIn:
        async with self._work.read() as tx:
            known = await tx[AccountRepository].credentials(email)
        if known is not None:
            audit_context.set_subject(known.user.subject)
        checked_hash = known.password_hash if known else None
        check = await self._passwords.check(password, checked_hash)
        if known is None or not check.matches:
            raise InvalidCredentials()
        async with self._work.begin() as tx:
            current = await tx[AccountRepository].credentials_for_update(known.user.id)
            if current.user.status is UserStatus.DEACTIVATED:
                raise InvalidCredentials()
            still_valid = current.password_hash == checked_hash
            if still_valid:
                if check.replacement is not None:
                    await tx[AccountRepository].replace_password_hash(current.user.id, check.replacement)
                if current.has_second_factor:
                    waiting = await self._challenge(tx, current.user)
                else:
                    tokens, ended = await self.enter(tx, current.user)
                    await self._attempts.succeeded(tx, attempt)
        if not still_valid:  # changed, or re-hashed by another sign-in, since it was checked
            return await self._login(email, password, attempt)
        if current.has_second_factor:  # raised after the commit; the right password is neither a failure nor a sign-in
            await self._attempts.give_back(attempt)
            raise waiting
        self._revocations.revoked(*ended)
        return SignedIn(current.user, tokens)

    async def enter(self, tx: Transaction, user: User, *, with_factor: bool = False) -> tuple[Tokens, Set[UUID]]:
        """Opens a session of a locked account that signs in. Returns its tokens, and the oldest sessions that ended.

        with_factor: whether a second factor was verified.
        """
        ended = await tx[SessionRepository].end_oldest(user.id, kept=MAX_SESSIONS - 1)
        caller, tokens = await self.open(tx, user)
        if with_factor:
            await tx[SecondFactorRepository].verified(caller.session_id)
        await tx[AuditWriter].record(AuditEvent.SIGNED_IN, user.subject, actor=caller)
        return tokens, ended

    @staticmethod
    async def _challenge(tx: Transaction, user: User) -> SecondFactorRequired:
        """Stores a sign-in that waits for its second factor, and returns the error with its challenge."""
        challenge = new_challenge()
        expires_at = await tx[SecondFactorRepository].challenge(user.id, challenge_hash(challenge))
        return SecondFactorRequired(challenge=challenge, expires_at=expires_at, kinds=FactorKind.TOTP.value)

    async def open(self, tx: Transaction, user: User) -> tuple[Caller, Tokens]:
        """Opens a session of an authenticated account. Returns its caller and its tokens.

        Its owner is told if the device or network is unfamiliar.
        """
        session_id, token, origin = new_id(), new_refresh_token(), _origin()
        lifetime = self._lifetimes.of(user.role)
        ends, organisation_id = await tx[SessionRepository].open(
            session_id, user.id, stored_hash(token), lifetime, origin
        )
        before, unused_for = await tx[SignInOriginRepository].record(user.id, origin.device, network_of(origin.address))
        if is_unfamiliar(unused_for, signed_in_before=before, within=self._familiar_for):
            await tx[EventRepository].record(UnfamiliarSignIn(user, origin))
        caller = Caller(user.id, user.role, session_id, organisation_id)
        idle_end = ends - lifetime.absolute + lifetime.idle
        return caller, self._tokens(user, caller, token, min(idle_end, ends), lifetime.idle)

    async def refresh(self, token: str, *, attended: bool = True) -> SignedIn:
        """Exchanges a refresh token for the next pair of tokens.

        attended: whether a person has acted since the last refresh; only then does the session's idle time begin again.
        A repeat within 10 seconds, while the next token is unused, gets the same token again: the first response was
        lost. Any other repeat revokes the session, because the token may be stolen. Raises RefreshTokenInvalid, and
        RateLimitExceeded if the session was refreshed too often; only unknown tokens are charged to the client address.
        """
        token_hash, next_token = stored_hash(token), successor(token, self._successor_key)
        next_hash = stored_hash(next_token)
        async with self._work.begin() as tx:
            presented = await tx[SessionRepository].presented_for_update(token_hash, next_hash)
            if presented is None:
                raise RefreshTokenInvalid()
            await self._limiter.replace_charge([(self._refreshes, str(presented.session_id))])
            if not _may_go_on(presented):
                raise RefreshTokenInvalid()
            reused = presented.used and not presented.repeatable
            idle_end = presented.idle_end
            if reused:
                await tx[SessionRepository].revoke(presented.session_id)
                await tx[AuditWriter].record(
                    AuditEvent.REFRESH_TOKEN_REUSED,
                    presented.user.subject,
                    outcome=Outcome.DENIED,
                    reason=RefreshTokenInvalid.reason,
                )
            elif not presented.used:
                idle, address = self._lifetimes.of(presented.user.role).idle, _origin().address
                idle_end = await tx[SessionRepository].rotate(token_hash, next_hash, idle, address, attended=attended)
        if reused:  # raised after the commit
            self._revocations.revoked(presented.session_id)
            raise RefreshTokenInvalid()
        ends = min(idle_end, presented.session_ends)
        user = presented.user
        caller = Caller(user.id, user.role, presented.session_id, presented.organisation_id)
        tokens = self._tokens(user, caller, next_token, ends, ends - presented.read_at)
        return SignedIn(user, tokens)

    async def logout(self, caller: Caller) -> None:
        """Ends the caller's session; its tokens are no longer accepted."""
        async with self._work.begin() as tx:
            await tx[SessionRepository].revoke(caller.session_id)
            await tx[AuditWriter].record(AuditEvent.SIGNED_OUT, Subject("account", caller.user_id))
        self._revocations.revoked(caller.session_id)

    def _tokens(self, user: User, caller: Caller, refresh_token: str, ends: datetime, idle: timedelta) -> Tokens:
        """Returns the tokens of a session that ends then unless a person acts; no access token lives longer."""
        access_token, expires_at = self._access_tokens.issue(user, caller.session_id, ends, caller.organisation_id)
        return Tokens(access_token, refresh_token, expires_at, idle)


def _origin() -> SignInOrigin:
    """Returns where the current call comes from, as the audit records it."""
    call = audit_context.current()
    return SignInOrigin("", "") if call is None else SignInOrigin(device_name(call.user_agent), call.address)


def _may_go_on(presented: PresentedToken) -> bool:
    """Returns whether the session may go on; a used token is checked further, an unused one must not have expired."""
    lives = presented.session_open and presented.user.status is not UserStatus.DEACTIVATED
    return lives and (presented.used or not presented.idle_too_long)
