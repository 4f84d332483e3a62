"""Emails to admins about new accounts of staff."""

from server.auth.entities import User
from server.auth.events import StaffAccountOpened
from server.auth.rules.verification import concerns_admins
from server.auth.storage.admins import AdminRepository
from server.db.unit_of_work import Transaction
from server.events.storage.events import EventRepository


async def notify_admins(tx: Transaction, user: User) -> None:
    """Emails all other active admins if a new account waits for its verification or is an admin's."""
    if concerns_admins(user):
        admins = await tx[AdminRepository].active()
        others = tuple(admin for admin in admins if admin.id != user.id and admin.email_confirmed)
        await tx[EventRepository].record(StaffAccountOpened(user, others))
