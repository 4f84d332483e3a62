"""The oldest server that can work on the schema, so that older ones restart on a newer schema or refuse it.

A migration that removes what a former version still uses sets `oldest_server` to the newest revision that the first
version without that use knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Adds the column; NULL: every server that is older than the schema can work on it."""
    op.add_column("alembic_version", sa.Column("oldest_server", sa.String(32)))


def downgrade() -> None:
    """Drops the column."""
    op.drop_column("alembic_version", "oldest_server")
