"""How often a mail server refused an email for the moment: its pauses grow by that number alone."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the counter; emails that wait begin their pauses anew."""
    op.add_column("emails", sa.Column("deferrals", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("emails", "deferrals")
