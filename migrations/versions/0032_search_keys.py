"""Search keys: names folded for every keyboard, phone numbers and dates of birth.

The keys are derived from other columns, so this revision computes them by the server's own function: the version that
migrates is the one that searches. A row that a server of the version before writes after its batch keeps that version's
keys until it is saved again: its name is found as before.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from server import name_search, search_keys

revision = "0032"
down_revision = "0031"

BATCH = 2_000
"""Rows of one transaction: it locks them for about a second."""
READ = """
    SELECT id, full_name, phone, {born} AS born FROM {table} WHERE id > :after ORDER BY id LIMIT :batch
"""
# A row that has changed since it was read has the keys of the server that changed it.
WRITE = """
    UPDATE {table} SET name_words = array_to_tsvector(string_to_array(given.keys, ' ')){sort_name}
    FROM unnest(
        CAST(:ids AS uuid[]), CAST(:names AS text[]), CAST(:phones AS text[]), CAST(:keys AS text[]),
        CAST(:folded AS text[])
    ) AS given (id, full_name, phone, keys, folded)
    WHERE {table}.id = given.id AND {table}.full_name = given.full_name AND {table}.phone = given.phone
"""
TABLES: Mapping[str, Mapping[str, str]] = {
    "users": {"born": "CAST(NULL AS date)", "sort_name": ""},
    "patients": {"born": "date_of_birth", "sort_name": ", sort_name = given.folded"},
}

Keys = Callable[[str, str, date | None], Sequence[str]]


def upgrade() -> None:
    """Writes the keys of every person."""
    _fold_all(search_keys.stored, name_search.fold)


def downgrade() -> None:
    """Writes the words that the version before searches."""
    _fold_all(lambda name, _phone, _born: _former_words(name), _former_fold)


def _fold_all(keys: Keys, fold: Callable[[str], str]) -> None:
    with op.get_context().autocommit_block():
        for table, parts in TABLES.items():
            read, write = (sa.text(statement.format(table=table, **parts)) for statement in (READ, WRITE))
            after = UUID(int=0)
            while rows := op.get_bind().execute(read, {"after": after, "batch": BATCH}).all():
                op.get_bind().execute(write, _columns(rows, keys, fold))
                after = rows[-1].id


def _columns(rows: Sequence[Any], keys: Keys, fold: Callable[[str], str]) -> dict[str, list[Any]]:
    return {
        "ids": [row.id for row in rows],
        "names": [row.full_name for row in rows],
        "phones": [row.phone for row in rows],
        "keys": [" ".join(keys(row.full_name, row.phone, row.born)) for row in rows],
        "folded": [fold(row.full_name) for row in rows],
    }


def _former_fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def _former_words(name: str) -> list[str]:
    folded = _former_fold(name)
    return sorted(set("".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in folded).split()))
