"""QR codes whose text consists of letters that every keyboard types alike: the format of each code's text."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Adds the format; codes issued before have the first one, as do those that the version before still issues."""
    op.add_column("qr_codes", sa.Column("text_format", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    """Closes the codes of the new format, which the version before cannot rebuild, and drops the column."""
    op.execute("UPDATE qr_codes SET replaced_at = now() WHERE text_format = 2 AND replaced_at IS NULL")
    op.drop_column("qr_codes", "text_format")
