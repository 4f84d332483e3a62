"""Ends the claims of pharmacists who can no longer act."""

from uuid import UUID

from server.db.unit_of_work import Transaction
from server.pharmacy.entities import EndedBy
from server.pharmacy.storage.claims import ClaimRepository


async def end_claims(tx: Transaction, user_id: UUID) -> None:
    """Ends all claims of a deactivated account, in the transaction that deactivates it."""
    await tx[ClaimRepository].end_all(user_id, EndedBy.ACCOUNT)
