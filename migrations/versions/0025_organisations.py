"""Hospitals and pharmacies as records, and the accounts that are their members.

Until now the workplace of an account was free text. The rule for that text: verified doctors whose hospital's name is
equal after folding (Unicode form KC, case and white space) become members of one hospital; verified pharmacists whose
pharmacy's name and address are both equal after folding become members of one pharmacy. Pharmacies of one name at two
addresses stay two, because the members of a pharmacy see what it dispensed. An organisation is named as its oldest
account writes it. The texts of the accounts stay as they are. Accounts without a text, and those that no admin has
verified, are members of none.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

ACCOUNTS = """
    SELECT id, created_at,
        CASE role WHEN 'doctor' THEN 'hospital' ELSE 'pharmacy' END AS kind,
        CASE role WHEN 'doctor' THEN hospital_name ELSE pharmacy_name END AS name,
        CASE role WHEN 'doctor' THEN '' ELSE pharmacy_address END AS address
    FROM users
    WHERE coalesce(deactivated_from, status) = 'active'
        AND (role = 'doctor' AND hospital_name <> '' OR role = 'pharmacist' AND pharmacy_name <> '')
"""
WORKPLACES = sa.text(
    f"""
    SELECT kind, name, address FROM ({ACCOUNTS}) AS account
    GROUP BY kind, name, address ORDER BY min(created_at), kind, name, address
    """  # noqa: S608 - a constant
)
MAKE = sa.text(
    """
    INSERT INTO organisations (id, kind, name, address, match_key)
    SELECT gen_random_uuid(), * FROM unnest(
        CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:addresses AS text[]), CAST(:match_keys AS text[])
    )
    ON CONFLICT (kind, match_key) WHERE closed_at IS NULL DO NOTHING
    """
)
JOIN = sa.text(
    f"""
    INSERT INTO memberships (id, user_id, organisation_id, member_right, since)
    SELECT gen_random_uuid(), account.id, organisations.id, 'member', account.created_at
    FROM unnest(
        CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:addresses AS text[]), CAST(:match_keys AS text[])
    ) AS workplace (kind, name, address, match_key)
    JOIN ({ACCOUNTS}) AS account USING (kind, name, address)
    JOIN organisations ON organisations.kind = workplace.kind AND organisations.match_key = workplace.match_key
    """  # noqa: S608 - a constant
)
ACT_FOR_THEM = """
    UPDATE sessions SET organisation_id = memberships.organisation_id
    FROM memberships WHERE memberships.user_id = sessions.user_id
"""


def upgrade() -> None:
    """Creates the tables, then makes the organisations and their members from the texts of the accounts."""
    _create_tables()
    op.add_column("sessions", sa.Column("organisation_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_sessions_organisation_id"), "sessions", "organisations", ["organisation_id"], ["id"])
    workplaces = _list_workplaces()
    op.get_bind().execute(MAKE, workplaces)
    op.get_bind().execute(JOIN, workplaces)
    op.execute(ACT_FOR_THEM)


def downgrade() -> None:
    """Drops the tables; the texts of the accounts are still there."""
    op.drop_column("sessions", "organisation_id")
    for table in ("memberships", "organisations"):
        op.drop_table(table)


def _create_tables() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("register_number", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("match_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('hospital', 'pharmacy')", name=op.f("ck_organisations_kind")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_organisations_named")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )
    op.create_index("ix_organisations_created_at_id", "organisations", ["created_at", "id"])
    op.create_index("ix_organisations_kind_created_at_id", "organisations", ["kind", "created_at", "id"])
    op.create_index(
        "uq_organisations_match",
        "organisations",
        ["kind", "match_key"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "memberships",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("member_right", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("member_right IN ('member', 'administrator')", name=op.f("ck_memberships_member_right")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_memberships_organisation_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
    )
    op.create_index(
        "uq_memberships_current",
        "memberships",
        ["user_id", "organisation_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_memberships_organisation_id_since_id", "memberships", ["organisation_id", "since", "id"])


def _list_workplaces() -> dict[str, list[str]]:
    """Returns the columns of all texts of workplaces, with the folded form of each; the oldest account's come first."""
    rows = op.get_bind().execute(WORKPLACES).all()
    kinds, names, addresses = ([row[column] for row in rows] for column in range(3))
    keys = [f"{_fold(name)}\n{_fold(address)}" for name, address in zip(names, addresses, strict=True)]
    return {"kinds": kinds, "names": names, "addresses": addresses, "match_keys": keys}


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
