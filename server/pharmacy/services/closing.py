"""Ends the claims of pharmacists who can no longer act, and of pharmacies that they no longer act for."""

from collections.abc import Collection
from uuid import UUID

from server.db.unit_of_work import Transaction
from server.pharmacy.entities import EndedBy
from server.pharmacy.storage.claims import ClaimRepository


async def end_claims(tx: Transaction, user_id: UUID) -> None:
    """Ends all claims of a deactivated account, in the transaction that deactivates it."""
    await tx[ClaimRepository].end_all([user_id], EndedBy.ACCOUNT)


async def end_claims_of_mover(tx: Transaction, user_id: UUID) -> None:
    """Ends all claims of a pharmacist who changed the workplace, in the transaction that changes it."""
    await tx[ClaimRepository].end_all([user_id], EndedBy.WORKPLACE)


async def end_claims_of_member(tx: Transaction, user_id: UUID, organisation_id: UUID) -> None:
    """Ends the claims that a member took for a pharmacy, in the transaction that ends the membership."""
    await tx[ClaimRepository].end_all([user_id], EndedBy.MEMBERSHIP, organisation_id)


async def end_claims_of_pharmacy(tx: Transaction, members: Collection[UUID], organisation_id: UUID) -> None:
    """Ends all claims of a pharmacy, in the transaction that closes it; members: those until then."""
    await tx[ClaimRepository].end_all(members, EndedBy.CLOSURE, organisation_id)
