"""Creates indexes of large tables without locking out writers, in revisions of their own."""

from typing import Any

from alembic import op

from migrations.lock_timeout import LOCK_TIMEOUT

WITHOUT_LOCK_TIMEOUT = "SET lock_timeout = 0"
"""CREATE INDEX CONCURRENTLY lets writers through, and must wait for every older transaction, such as a dump."""
INVALID = """
    SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid
"""


def create(name: str, table: str, columns: list[str], **options: Any) -> None:  # noqa: ANN401 - those of create_index
    """Creates an index unless it exists; one that an interrupted run left invalid is created again."""
    with op.get_context().autocommit_block():
        op.execute(WITHOUT_LOCK_TIMEOUT)
        if op.get_bind().exec_driver_sql(INVALID.format(name=name)).scalar():
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(name, table, columns, if_not_exists=True, postgresql_concurrently=True, **options)
        op.execute(LOCK_TIMEOUT)


def drop(name: str, table: str) -> None:
    """Drops an index if it exists."""
    with op.get_context().autocommit_block():
        op.execute(WITHOUT_LOCK_TIMEOUT)
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.execute(LOCK_TIMEOUT)
