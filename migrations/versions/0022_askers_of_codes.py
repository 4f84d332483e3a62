"""Reset codes are bound to the client that requested them, and several codes of one purpose may be open.

The previous version of the server cannot read two open codes of one account and purpose: it returns INTERNAL for an
attempt until the older code has expired, ten minutes at most.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

TABLE = "one_time_codes"
OPEN = sa.text("ended_at IS NULL")

# The unique index requires one open code per account and purpose; the newest stays.
END_ALL_BUT_THE_NEWEST = """
    UPDATE one_time_codes SET ended_at = now() WHERE ended_at IS NULL AND id NOT IN (
        SELECT DISTINCT ON (user_id, purpose) id FROM one_time_codes WHERE ended_at IS NULL
        ORDER BY user_id, purpose, created_at DESC, id DESC
    )
"""


def upgrade() -> None:
    """Adds the columns; codes that are open are bound to no client."""
    op.add_column(TABLE, sa.Column("address", sa.LargeBinary(), nullable=True))
    op.add_column(TABLE, sa.Column("nonce", sa.LargeBinary(), nullable=True))
    op.add_column(TABLE, sa.Column("stranger", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(TABLE, sa.Column("stray_tries", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(op.f("ck_one_time_codes_stray_tries"), TABLE, "stray_tries BETWEEN 0 AND 5")
    op.create_index("ix_one_time_codes_still_open", TABLE, ["user_id", "purpose"], postgresql_where=OPEN)
    op.drop_index("ix_one_time_codes_open", TABLE)


def downgrade() -> None:
    """Drops the columns; of several open codes the newest stays open."""
    op.execute(END_ALL_BUT_THE_NEWEST)
    op.create_index("ix_one_time_codes_open", TABLE, ["user_id", "purpose"], unique=True, postgresql_where=OPEN)
    op.drop_index("ix_one_time_codes_still_open", TABLE)
    op.drop_constraint("ck_one_time_codes_stray_tries", TABLE)
    for column in ("stray_tries", "stranger", "nonce", "address"):
        op.drop_column(TABLE, column)
