"""Versions of the names of people and pharmacies: a past action is shown with the names of its time.

Triggers write the versions; names are not copied into every action. So the audit contains no names, the previous
version of the server writes versions too, and no large table is rewritten. Every table of actions already has the
person's id and the time.

Each step can be repeated, because the rows are filled in outside the transaction that creates the tables, so that
accounts can be written meanwhile.
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

NAMED = {
    "user": ("full_name", "license_number", "hospital_name", "pharmacy_name", "pharmacy_address"),
    "patient": ("full_name",),
}
"""The columns of `users` and `patients` that are names."""

# The trigger writes as the tables' owner, so that the service can only read the rows. An update first adds the
# previous name, for an account whose first row has not been filled in yet. `since` only increases, so that a step of
# the clock cannot reorder two names.
KEEP = """
    CREATE OR REPLACE FUNCTION keep_{kind}_name() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO {kind}_names ({kind}_id, since, {names}) VALUES (NEW.id, '-infinity', {new});
            RETURN NULL;
        END IF;
        INSERT INTO {kind}_names ({kind}_id, since, {names}) VALUES (OLD.id, '-infinity', {old})
        ON CONFLICT ({kind}_id, since) DO NOTHING;
        INSERT INTO {kind}_names ({kind}_id, since, {names})
        SELECT NEW.id, greatest(clock_timestamp(), max(since) + interval '1 microsecond'), {new}
        FROM {kind}_names WHERE {kind}_id = NEW.id;
        RETURN NULL;
    END $$
"""
ON_INSERT = """
    CREATE OR REPLACE TRIGGER keeps_first_name AFTER INSERT ON {kind}s FOR EACH ROW EXECUTE FUNCTION keep_{kind}_name()
"""
ON_UPDATE = """
    CREATE OR REPLACE TRIGGER keeps_each_name AFTER UPDATE OF {names} ON {kind}s FOR EACH ROW
    WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION keep_{kind}_name()
"""
GUARD = """
    CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {kind}_names
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""
GRANT = "REVOKE INSERT, UPDATE, DELETE ON {kind}_names FROM medconnect_app"
# In batches, because an update of a name waits for the batch that has locked its row.
BATCH = 2000
FILL = f"""
    WITH batch AS (SELECT id, {{names}} FROM {{kind}}s WHERE id > :after ORDER BY id LIMIT {BATCH}),
    filled AS (
        INSERT INTO {{kind}}_names ({{kind}}_id, since, {{names}}) SELECT id, '-infinity', {{names}} FROM batch
        ON CONFLICT ({{kind}}_id, since) DO NOTHING
    )
    SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""  # noqa: S608 - a constant


def upgrade() -> None:
    """Creates the tables and their triggers, then assigns the current names to all past actions."""
    for kind, names in NAMED.items():
        op.create_table(
            f"{kind}_names",
            sa.Column(f"{kind}_id", sa.Uuid(), nullable=False),
            sa.Column("since", sa.DateTime(timezone=True), nullable=False),
            *(sa.Column(name, sa.Text(), server_default=_default(name), nullable=False) for name in names),
            sa.ForeignKeyConstraint([f"{kind}_id"], [f"{kind}s.id"], name=op.f(f"fk_{kind}_names_{kind}_id")),
            sa.PrimaryKeyConstraint(f"{kind}_id", "since", name=op.f(f"pk_{kind}_names")),
            if_not_exists=True,
        )
        for statement in (KEEP, ON_INSERT, ON_UPDATE, GUARD, GRANT):
            op.execute(_written(statement, kind, names))
    with op.get_context().autocommit_block():
        for kind, names in NAMED.items():
            _fill(sa.text(_written(FILL, kind, names)))


def downgrade() -> None:
    """Drops the triggers and then the tables."""
    for kind in reversed(NAMED):
        op.execute(f"DROP TRIGGER keeps_each_name ON {kind}s")
        op.execute(f"DROP TRIGGER keeps_first_name ON {kind}s")
        op.execute(f"DROP FUNCTION keep_{kind}_name()")
        op.drop_table(f"{kind}_names")


def _fill(batch: sa.TextClause) -> None:
    last: UUID | None = UUID(int=0)
    while last is not None:
        last = op.get_bind().scalar(batch, {"after": last})


def _default(name: str) -> str | None:
    return None if name == "full_name" else ""


def _written(statement: str, kind: str, names: tuple[str, ...]) -> str:
    """Returns the statement for users or for patients."""
    listed = {row.lower(): ", ".join(f"{row}.{name}" for name in names) for row in ("OLD", "NEW")}
    return statement.format(kind=kind, names=", ".join(names), **listed)
