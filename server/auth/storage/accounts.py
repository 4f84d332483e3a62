"""Repository of accounts."""

from collections.abc import Collection, Mapping, Set
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Executable,
    Interval,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, insert

from server import email_address, search_keys
from server.audit.events import AuditEvent
from server.audit.storage.audit_writer import audit_params, audited_page, audited_row
from server.auth.entities import Credentials, NewAccount, User, UserFilter, UserStatus
from server.auth.rules.accounts import CHANGEABLE
from server.auth.rules.licenses import license_key
from server.auth.storage.licenses import one_license_holder
from server.auth.storage.tables import second_factors, users
from server.db.connection import Connection, Row, UniqueViolation
from server.db.identifiers import new_id
from server.db.keyset_query import MOMENT_CURSOR, KeysetQuery, after_moment
from server.errors import EmailTaken, NotFound
from server.identity import Role

USER_COLUMNS: Final = (
    users.c.id,
    users.c.email,
    users.c.new_email,
    users.c.full_name,
    users.c.phone,
    users.c.role,
    users.c.status,
    users.c.license_number,
    users.c.license_issuer,
    users.c.specialization,
    users.c.hospital_name,
    users.c.pharmacy_name,
    users.c.pharmacy_address,
    users.c.created_at,
    users.c.email_confirmed_at,
)
"""The columns from which `user_of` creates an entity."""

_words = func.array_to_tsvector(bindparam("words", type_=ARRAY(Text)))
_INSERT: Final = (
    insert(users)
    .values(
        name_words=_words,
        email_confirmed_at=case((bindparam("owner_confirmed", type_=Boolean), func.now())),
    )
    .on_conflict_do_nothing(index_elements=[users.c.email])
    .returning(*USER_COLUMNS)
)
_GET: Final = select(*USER_COLUMNS).where(users.c.id == bindparam("user_id"))
_BY_IDS: Final = select(*USER_COLUMNS).where(users.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_READ: Final = audited_row(_GET, "account")
_CREDENTIALS: Final = select(
    *USER_COLUMNS,
    users.c.password_hash,
    exists()
    .where(second_factors.c.user_id == users.c.id, second_factors.c.confirmed_at.is_not(None))
    .label("has_second_factor"),
    func.coalesce(users.c.password_reset_until > func.now(), literal_column("false")).label("reset_allowed"),
)
_CREDENTIALS_OF: Final = _CREDENTIALS.where(users.c.id == bindparam("user_id"))
_BY_EMAIL: Final = _CREDENTIALS.where(users.c.email == bindparam("address"))
_BY_ID_FOR_UPDATE: Final = _CREDENTIALS_OF.with_for_update(key_share=True)
_REPLACE_HASH: Final = (
    update(users).where(users.c.id == bindparam("user_id")).values(password_hash=bindparam("new_hash"))
)
_ALLOW_RESET: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(password_reset_until=func.now() + bindparam("allowed_for", type_=Interval))
)
_SAVE: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values({name: bindparam(f"new_{name}") for name in CHANGEABLE} | {"name_words": _words})
    .returning(*USER_COLUMNS)
)
_AWAIT_EMAIL: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(new_email=bindparam("awaited"))
    .returning(*USER_COLUMNS)
)
_CONFIRM_EMAIL: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"), users.c.new_email.is_not(None))
    .values(email=users.c.new_email, new_email=None, email_confirmed_at=func.now())
    .returning(*USER_COLUMNS)
)
_VERIFY: Final = (
    update(users)
    .where(
        users.c.id == bindparam("user_id"),
        users.c.role.in_([Role.DOCTOR, Role.PHARMACIST]),
        users.c.status != UserStatus.DEACTIVATED,
    )
    .values(
        license_issuer=bindparam("issuer"),
        license_key=bindparam("key"),
        status=UserStatus.ACTIVE,
        status_changed_at=case((users.c.status == UserStatus.UNVERIFIED, func.now()), else_=users.c.status_changed_at),
    )
    .returning(*USER_COLUMNS)
)
_first_status = case((users.c.role.in_([Role.DOCTOR, Role.PHARMACIST]), UserStatus.UNVERIFIED), else_=UserStatus.ACTIVE)
_ADMIN: Final[ColumnElement[str]] = literal_column(f"'{Role.ADMIN}'")
"""Written into the SQL: PostgreSQL plans a statement before it knows parameters, and admins are few."""
_ACTIVE_ADMINS: Final = (
    select(users.c.id)
    .where(users.c.role == _ADMIN, users.c.status == UserStatus.ACTIVE)
    .order_by(users.c.id)
    .with_for_update(key_share=True)
)
_closed = users.c.status == UserStatus.DEACTIVATED
_DEACTIVATE: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(
        status=UserStatus.DEACTIVATED,
        deactivated_from=case((_closed, users.c.deactivated_from), else_=users.c.status),
        status_changed_at=case((_closed, users.c.status_changed_at), else_=func.now()),
    )
    .returning(*USER_COLUMNS)
)
_REACTIVATE: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"), or_(users.c.email.is_not(None), users.c.new_email.is_not(None)))
    .values(
        status=case((_closed, func.coalesce(users.c.deactivated_from, _first_status)), else_=users.c.status),
        deactivated_from=None,
        status_changed_at=case((_closed, func.now()), else_=users.c.status_changed_at),
    )
    .returning(*USER_COLUMNS)
)
_LIST: Final = KeysetQuery(
    select(*USER_COLUMNS),
    users,
    conditions={
        "role": users.c.role == bindparam("role"),
        "status": users.c.status == bindparam("status"),
        "email": or_(users.c.email == bindparam("email"), users.c.new_email == bindparam("email")),
        "name_query": users.c.name_words.bool_op("@@")(bindparam("name_query", type_=Text).cast(TSQUERY)),
    },
    order=(users.c.created_at, users.c.id),
    cursor=MOMENT_CURSOR,
    selective={"name_query"},
    with_audit=lambda page: audited_page(page, "account"),
)


def user_of(row: Row) -> User:
    """Returns the account of a row with USER_COLUMNS."""
    return User(
        id=row["id"],
        email=row["email"] or row["new_email"] or "",
        email_confirmed=row["email"] is not None,
        new_email=row["new_email"] or "",
        full_name=row["full_name"],
        phone=row["phone"],
        role=Role(row["role"]),
        status=UserStatus(row["status"]),
        license_number=row["license_number"],
        license_issuer=row["license_issuer"],
        specialization=row["specialization"],
        hospital_name=row["hospital_name"],
        pharmacy_name=row["pharmacy_name"],
        pharmacy_address=row["pharmacy_address"],
        created_at=row["created_at"],
        email_confirmed_at=row["email_confirmed_at"],
    )


def _credentials(row: Row) -> Credentials:
    return Credentials(user_of(row), row["password_hash"], row["has_second_factor"], row["reset_allowed"])


class AccountRepository:
    """Reads and writes accounts through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, account: NewAccount) -> User:
        """Stores a new account. Raises EmailTaken and LicenseTaken; the transaction remains usable."""
        key = license_key(account.license_issuer, account.license_number)
        values = {
            "id": new_id(),
            "email": account.email if account.email_confirmed else None,
            "new_email": None if account.email_confirmed else account.email,
            "password_hash": account.password_hash,
            "full_name": account.full_name,
            "words": search_keys.stored(account.full_name, account.phone),
            "owner_confirmed": account.owner_confirmed,
            "phone": account.phone,
            "role": account.role,
            "status": account.status,
            "license_number": account.license_number,
            "license_issuer": account.license_issuer,
            "license_key": key,
            "specialization": account.specialization,
            "hospital_name": account.hospital_name,
            "pharmacy_name": account.pharmacy_name,
            "pharmacy_address": account.pharmacy_address,
            "created_by": account.created_by,
        }
        async with one_license_holder(self._connection, key if account.status is UserStatus.ACTIVE else ""):
            row = await self._connection.first(_INSERT, values)
        if row is None:
            raise EmailTaken()
        return user_of(row)

    async def get(self, user_id: UUID) -> User:
        """Returns the account with this id. Raises NotFound."""
        return self._require_user(await self._connection.first(_GET, {"user_id": user_id}))

    async def by_ids(self, ids: Collection[UUID]) -> Mapping[UUID, User]:
        """Returns those of these accounts that exist, by one statement."""
        rows = await self._connection.rows(_BY_IDS, {"ids": list(ids)})
        return {row["id"]: user_of(row) for row in rows}

    async def read(self, user_id: UUID) -> User:
        """Returns the account with this id for another user, and records the access for audit. Raises NotFound."""
        parameters = {"user_id": user_id, **audit_params(AuditEvent.ACCOUNT_READ)}
        return self._require_user(await self._connection.first(_READ, parameters))

    async def credentials(self, email: str) -> Credentials | None:
        """Returns the account with this confirmed address (in lower case) and its password hash, or None."""
        row = await self._connection.first(_BY_EMAIL, {"address": email})
        return None if row is None else _credentials(row)

    async def credentials_of(self, user_id: UUID) -> Credentials:
        """Returns the account with this id, which must exist, and its password hash."""
        row = await self._connection.one(_CREDENTIALS_OF, {"user_id": user_id})
        return _credentials(row)

    async def credentials_for_update(self, user_id: UUID) -> Credentials:
        """Locks an existing account until the transaction ends, and returns it with its password hash."""
        row = await self._connection.one(_BY_ID_FOR_UPDATE, {"user_id": user_id})
        return _credentials(row)

    async def replace_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """Stores the hash of the same password with current parameters, or that of a new password."""
        await self._connection.execute(_REPLACE_HASH, {"user_id": user_id, "new_hash": password_hash})

    async def allow_password_reset(self, user_id: UUID, allowed_for: timedelta) -> None:
        """Lets an emailed code alone set a new password for that time; zero ends it."""
        await self._connection.execute(_ALLOW_RESET, {"user_id": user_id, "allowed_for": allowed_for})

    async def save(self, user: User) -> User:
        """Stores the fields of a locked account that its owner may change (`rules.accounts.CHANGEABLE`)."""
        changed = {f"new_{name}": getattr(user, name) for name in CHANGEABLE}
        words = search_keys.stored(user.full_name, user.phone)
        return await self._change_account(_SAVE, user.id, words=words, **changed)

    async def await_email(self, user_id: UUID, email: str | None) -> User:
        """Sets the unconfirmed address (in lower case) of a locked account; None clears it."""
        return await self._change_account(_AWAIT_EMAIL, user_id, awaited=email)

    async def confirm_email(self, user_id: UUID) -> User:
        """Confirms the unconfirmed address of a locked account. Raises EmailTaken; the transaction remains usable."""
        try:
            async with self._connection.savepoint():
                return await self._change_account(_CONFIRM_EMAIL, user_id)
        except UniqueViolation as error:
            raise EmailTaken() from error

    async def verify(self, user: User) -> User:
        """Activates an unverified doctor or pharmacist, and stores the issuer of the licence.

        Raises NotFound for other roles and deactivated accounts, and LicenseTaken.
        """
        key = _key_of(user)
        async with one_license_holder(self._connection, key):
            return await self._change_account(_VERIFY, user.id, issuer=user.license_issuer, key=key)

    async def active_admins_for_update(self) -> Set[UUID]:
        """Returns the ids of all active admins, locked so that their number stays the same."""
        return set(await self._connection.scalars(_ACTIVE_ADMINS))

    async def deactivate(self, user_id: UUID) -> User:
        """Deactivates an account, if it is not deactivated already. Raises NotFound."""
        return await self._change_account(_DEACTIVATE, user_id)

    async def reactivate(self, user_id: UUID) -> User:
        """Restores the former status of a deactivated account.

        Raises NotFound, also for one without an address, and LicenseTaken.
        """
        user = await self.get(user_id)
        async with one_license_holder(self._connection, _key_of(user)):
            return await self._change_account(_REACTIVATE, user_id)

    async def newest(
        self, wanted: UserFilter, after: tuple[datetime, UUID] | None, size: int
    ) -> tuple[list[User], int]:
        """Returns up to `size` + 1 accounts after a row, newest first, and the filter's count (up to COUNT_LIMIT + 1).

        Records the access for audit.
        """
        filters = {"role": wanted.role, "status": wanted.status, **_search(wanted.search)}
        record = audit_params(AuditEvent.ACCOUNTS_LISTED)
        rows, found = await _LIST.fetch(self._connection, filters, after_moment(after), size, record)
        return [user_of(row) for row in rows], found

    async def _change_account(self, statement: Executable, user_id: UUID, **more: str | list[str] | None) -> User:
        return self._require_user(await self._connection.first(statement, {"user_id": user_id, **more}))

    @staticmethod
    def _require_user(row: Row | None) -> User:
        if row is None:
            raise NotFound("account")
        return user_of(row)


def _key_of(user: User) -> str:
    return license_key(user.license_issuer, user.license_number)


def _search(search: str | None) -> dict[str, str]:
    if search is None:
        return {}
    if "@" in search:
        return {"email": email_address.normal(search)}
    return {"name_query": search_keys.query(search) or ""}  # a search without words has no results
