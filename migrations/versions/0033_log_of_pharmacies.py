"""The pharmacy for which each action of a pharmacist was done.

The rule for the entries before: an entry belongs to the open pharmacy whose name and address equal, after folding as in
0025, those that the pharmacist's account stated at the time of the action. If there is none, the entry belongs to the
pharmacist's earliest current membership, provided that the account has never stated another pharmacy. Other entries
name no pharmacy; patients, receipts of patients and the audit show them as before.

A server of the version before does not write the column, so a trigger fills it in for its entries, from the membership
that such a server acts for. The entries are filled in by batches outside the transaction; each step can be repeated.
"""

import unicodedata
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

ADD = "ALTER TABLE pharmacy_log ADD COLUMN IF NOT EXISTS organisation_id uuid"
ACTIONS = "'scan', 'lookup', 'validate', 'dispense', 'reject', 'release'"
CONSTRAIN = """
    ALTER TABLE pharmacy_log
        DROP CONSTRAINT IF EXISTS fk_pharmacy_log_organisation_id,
        DROP CONSTRAINT ck_pharmacy_log_action,
        ADD CONSTRAINT fk_pharmacy_log_organisation_id FOREIGN KEY (organisation_id) REFERENCES organisations (id)
            NOT VALID,
        ADD CONSTRAINT ck_pharmacy_log_action CHECK (action IN ({actions})) NOT VALID
"""
FUNCTION = """
    CREATE OR REPLACE FUNCTION name_pharmacy_of_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.organisation_id := (
            SELECT organisation_id FROM memberships
            WHERE user_id = NEW.pharmacist_id AND ended_at IS NULL ORDER BY since, id LIMIT 1
        );
        RETURN NEW;
    END $$
"""
TRIGGER = """
    CREATE OR REPLACE TRIGGER names_pharmacy BEFORE INSERT ON pharmacy_log FOR EACH ROW
    WHEN (NEW.organisation_id IS NULL) EXECUTE FUNCTION name_pharmacy_of_entry()
"""
STATED = "SELECT DISTINCT pharmacy_name, pharmacy_address FROM user_names WHERE pharmacy_name <> ''"
KNOWN = "SELECT match_key, id FROM organisations WHERE kind = 'pharmacy' AND closed_at IS NULL"
BATCH = 2000
FILL = sa.text(
    f"""
    WITH batch AS (SELECT id FROM pharmacy_log WHERE id > :after ORDER BY id LIMIT {BATCH}),
    filled AS (
        UPDATE pharmacy_log SET organisation_id = coalesce(
            (
                SELECT workplace.organisation_id
                FROM (
                    SELECT pharmacy_name, pharmacy_address FROM user_names
                    WHERE user_id = pharmacist_id AND since <= occurred_at ORDER BY since DESC LIMIT 1
                ) AS stated
                JOIN unnest(CAST(:names AS text[]), CAST(:addresses AS text[]), CAST(:pharmacies AS uuid[]))
                    AS workplace (name, address, organisation_id)
                    ON workplace.name = stated.pharmacy_name AND workplace.address = stated.pharmacy_address
            ),
            (
                SELECT memberships.organisation_id FROM memberships
                WHERE user_id = pharmacist_id AND ended_at IS NULL AND 1 = (
                    SELECT count(DISTINCT (pharmacy_name, pharmacy_address)) FROM user_names
                    WHERE user_names.user_id = pharmacist_id
                )
                ORDER BY since, id LIMIT 1
            )
        )
        WHERE id IN (SELECT id FROM batch) AND organisation_id IS NULL
    )
    SELECT id FROM batch ORDER BY id DESC LIMIT 1
    """  # noqa: S608 - a constant
)
VALIDATE = "ALTER TABLE pharmacy_log VALIDATE CONSTRAINT {name}"


def upgrade() -> None:
    """Adds the column and its trigger, then assigns the entries before to their pharmacies."""
    op.execute(ADD)
    op.execute(CONSTRAIN.format(actions=f"{ACTIONS}, 'end_claim'"))
    op.execute(FUNCTION)
    op.execute(TRIGGER)
    with op.get_context().autocommit_block():
        workplaces = _list_workplaces()
        last: UUID | None = UUID(int=0)
        while last is not None:
            last = op.get_bind().scalar(FILL, {"after": last, **workplaces})
        for name in ("fk_pharmacy_log_organisation_id", "ck_pharmacy_log_action"):
            op.execute(VALIDATE.format(name=name))


def downgrade() -> None:
    """Drops the column; a claim that was ended counts as released."""
    op.execute("UPDATE pharmacy_log SET action = 'release' WHERE action = 'end_claim'")
    op.execute("DROP TRIGGER names_pharmacy ON pharmacy_log")
    op.execute("DROP FUNCTION name_pharmacy_of_entry()")
    op.execute(CONSTRAIN.format(actions=ACTIONS))
    op.execute(VALIDATE.format(name="ck_pharmacy_log_action"))
    op.drop_column("pharmacy_log", "organisation_id")


def _list_workplaces() -> dict[str, list[object]]:
    """Returns the texts that name an open pharmacy, as columns."""
    known = {row.match_key: row.id for row in op.get_bind().execute(sa.text(KNOWN))}
    stated = op.get_bind().execute(sa.text(STATED)).all()
    named = [(name, address, known.get(f"{_fold(name)}\n{_fold(address)}")) for name, address in stated]
    found = [row for row in named if row[2] is not None]
    return {column: [row[at] for row in found] for at, column in enumerate(("names", "addresses", "pharmacies"))}


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
