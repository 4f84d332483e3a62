"""Second factors of accounts, their recovery codes, and sign-ins that wait for a second factor."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def _time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def upgrade() -> None:
    """Adds the tables and columns; the grace time of present accounts begins now."""
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        _time("created_at", now=True),
        _time("confirmed_at", nullable=True),
        _time("last_used_at", nullable=True),
        sa.CheckConstraint("kind IN ('totp')", name=op.f("ck_second_factors_kind")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
    )
    op.create_index("ix_second_factors_user_id", "second_factors", ["user_id"])
    unconfirmed = sa.text("confirmed_at IS NULL")
    op.create_index("ix_second_factors_unconfirmed", "second_factors", ["created_at"], postgresql_where=unconfirmed)
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        _time("used_at", nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "sign_in_challenges",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _time("expires_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_challenges_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_challenges")),
    )
    op.create_index("ix_sign_in_challenges_user_id", "sign_in_challenges", ["user_id"])
    op.create_index("ix_sign_in_challenges_expires_at", "sign_in_challenges", ["expires_at"])
    op.add_column("sessions", _time("factor_at", nullable=True))
    op.add_column("users", _time("factor_grace_since", now=True))
    op.add_column("users", _time("password_reset_until", nullable=True))


def downgrade() -> None:
    """Drops them: accounts sign in with their passwords alone again."""
    op.drop_column("users", "password_reset_until")
    op.drop_column("users", "factor_grace_since")
    op.drop_column("sessions", "factor_at")
    for table in ("sign_in_challenges", "recovery_codes", "second_factors"):
        op.drop_table(table)
