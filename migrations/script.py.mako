"""${message}

Rules for migrations:
- The previous version of the server must keep working on the new schema (expand first, contract one release later). One that
  removes something sets `oldest_server` of alembic_version to the newest revision known to the first version without it.
- No change may rewrite or lock a large table for longer than a second: add columns without volatile defaults, create
  indexes by `migrations.concurrent_index` (in a revision of its own), add constraints NOT VALID and validate them afterwards.
- `downgrade` works and loses no data from before `upgrade`.
- Rights are not granted here: list new tables and columns in server/db/grants.py, which the upgrade applies.
- Clinical data is never deleted and no foreign key cascades.
- tests/storage/test_migrations.py upgrades, downgrades and upgrades again, and compares the result with the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
