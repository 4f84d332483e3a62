"""Lets a licence, its issuer and number, belong to one active account."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from migrations import concurrent_index

revision = "0048"
down_revision = "0047"

NAME: Final = "uq_users_license_key"


def upgrade() -> None:
    """Adds the columns, empty in every account of before, and the index; each step can be repeated."""
    for name in ("license_issuer", "license_key"):
        op.add_column("users", sa.Column(name, sa.Text(), server_default="", nullable=False), if_not_exists=True)
    concurrent_index.create(
        NAME,
        "users",
        ["license_key"],
        unique=True,
        postgresql_where=sa.text("status = 'active' AND license_key <> ''"),
    )


def downgrade() -> None:
    """Drops them; the accounts stay as they are."""
    concurrent_index.drop(NAME, "users")
    op.drop_column("users", "license_key")
    op.drop_column("users", "license_issuer")
