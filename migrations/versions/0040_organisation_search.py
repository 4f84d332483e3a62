"""Index of the beginnings of the names of organisations."""

from migrations import concurrent_index

revision = "0040"
down_revision = "0039"

NAME = "ix_organisations_match_key"


def upgrade() -> None:
    """Creates the index; SP-GiST finds a beginning that is a parameter of the statement."""
    concurrent_index.create(NAME, "organisations", ["match_key"], postgresql_using="spgist")


def downgrade() -> None:
    """Drops the index."""
    concurrent_index.drop(NAME, "organisations")
