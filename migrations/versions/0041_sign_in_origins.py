"""The devices and networks from which accounts signed in, so that owners are told of others."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

# The sessions that are still stored. The networks are those of `server.auth.rules.origins.network_of`.
FROM_SESSIONS = """
    INSERT INTO sign_in_origins (user_id, device, network, used_at)
    SELECT user_id, device, network, max(created_at)
    FROM sessions, LATERAL (
        SELECT CASE
            WHEN address LIKE '%:%' THEN CAST(network(set_masklen(inet(address), 48)) AS text)
            WHEN address LIKE '%.%' THEN CAST(network(set_masklen(inet(address), 24)) AS text)
            ELSE address
        END AS network
    ) AS of_session
    GROUP BY user_id, device, network
"""


def upgrade() -> None:
    """Adds the table, with the origins of the stored sessions."""
    op.create_table(
        "sign_in_origins",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_origins_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "device", "network", name=op.f("pk_sign_in_origins")),
    )
    op.create_index("ix_sign_in_origins_used_at", "sign_in_origins", ["used_at"])
    op.execute(FROM_SESSIONS)


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("sign_in_origins")
