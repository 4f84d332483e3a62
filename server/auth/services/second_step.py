"""The second step of signing in: the challenge of a right password, and a second factor."""

from server.audit import audit_context
from server.auth.entities import SignedIn, UserStatus
from server.auth.rules.second_factors import challenge_hash
from server.auth.services.factor_check import FactorCheck
from server.auth.services.revocation_cache import RevocationCache
from server.auth.services.sessions import SessionService
from server.auth.services.sign_in_attempts import SignInAttempts
from server.auth.storage.second_factors import SecondFactorRepository
from server.db.unit_of_work import UnitOfWork
from server.errors import ChallengeInvalid


class SecondStep:
    """Completes sign-ins that wait for a second factor."""

    def __init__(
        self,
        work: UnitOfWork,
        sessions: SessionService,
        check: FactorCheck,
        attempts: SignInAttempts,
        revocations: RevocationCache,
    ) -> None:
        self._work = work
        self._sessions = sessions
        self._check = check
        self._attempts = attempts
        self._revocations = revocations

    async def complete(self, challenge: str, code: str, address: str = "") -> SignedIn:
        """Opens the session of a challenge with a code of a second factor; address: the client address of the call.

        Raises ChallengeInvalid, SecondFactorInvalid, and RateLimitExceeded while the account is delayed.
        """
        token_hash = challenge_hash(challenge)
        async with self._work.read() as tx:
            user = await tx[SecondFactorRepository].challenged(token_hash)
        if user is None:
            raise ChallengeInvalid()
        audit_context.set_subject(user.subject)
        async with self._check.proved(user, code, address) as (tx, current):
            open_still = current.user.status is not UserStatus.DEACTIVATED
            if not open_still or not await tx[SecondFactorRepository].use_challenge(token_hash):
                raise ChallengeInvalid()
            tokens, ended = await self._sessions.enter(tx, current.user, with_factor=True)
            await self._attempts.recognize(tx, current.user.email, address)
        self._revocations.revoked(*ended)
        return SignedIn(current.user, tokens)
