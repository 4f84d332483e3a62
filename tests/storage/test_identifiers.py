"""Tests identifiers of rows."""

from uuid import UUID

from server.db.connection import read_id
from server.db.identifiers import new_id


def test_read_id_equals_the_uuid_of_the_same_text() -> None:
    made = new_id()
    read = read_id(str(made))
    assert isinstance(read, UUID)
    assert (read, hash(read), str(read), read.bytes) == (made, hash(made), str(made), made.bytes)
