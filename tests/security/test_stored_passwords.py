"""No stored value depends on a password, except its argon2id hash."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.options.v1 import access_pb2
from sqlalchemy import text

from server.api.interceptors.request_hash import is_secret, request_hash
from server.runtime.server import SERVICES
from tests.architecture.test_protos import fields
from tests.fixtures.actors import Actors, new_email
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.calls import over_grpc
from tests.rpc.methods import RPCS

KEY: Final = b"k" * 32
FIRST, SECOND, THIRD, WRONG = (f"{word} horse battery 4711" for word in ("first", "second", "third", "wrong"))
COMPARED_AS_SENT: Final = {"qr_code"}
"""Fields compared as sent that are no secret of their owner: another code with the same key is another request."""

TABLES: Final = """
    SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""


def digests(data: bytes) -> Iterator[bytes]:
    """Returns the data itself, and everything computable from it without a key or a salt."""
    yield data
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "sha3_256", "sha3_512"):
        yield hashlib.new(name, data).digest()
        yield hmac.digest(b"", data, name)
        yield hashlib.new(name, hashlib.new(name, data).digest()).digest()


def traces(data: bytes) -> set[str]:
    """Returns how each of those would look in a dump: as text, hexadecimal or base64."""
    found = set[str]()
    for value in digests(data):
        found |= {
            value.hex(),
            base64.b64encode(value).decode().rstrip("="),
            base64.urlsafe_b64encode(value).decode().rstrip("="),
        }
    return found | {data.decode(errors="replace")}


def dump(actors: Actors) -> str:
    """Returns every column of every table; bytes are hexadecimal."""

    async def read() -> str:
        async with actors.instance.core.work.read() as tx:
            tables = await tx.connection.scalars(text(TABLES))
            rows = [
                await tx.connection.scalars(text(f'SELECT to_jsonb(t)::text FROM "{table}" t'))  # noqa: S608
                for table in tables
            ]
        return "\n".join(row for table in rows for row in table)

    return actors.instance.run(read())


def found(stored: str, *data: bytes) -> list[str]:
    return [trace for each in data for trace in traces(each) if trace in stored]


@control("S92")
def test_no_column_gives_a_password_away(actors: Actors) -> None:
    created = auth.CreateUserRequest(
        email=new_email(), password=FIRST, full_name="Ann Other", role=access_pb2.ROLE_ADMIN
    )
    key = str(uuid4())
    answers = [over_grpc(actors, RPCS["CreateUser"], created, actors.admin, idempotency_key=key) for _ in range(2)]
    assert answers[1].headers["idempotent-replayed"] == "true"
    registered = auth.RegisterRequest(email=new_email(), password=FIRST, full_name="Ann Other")
    actor = actors.rest(
        "POST", "/auth/register", None, {"email": new_email(), "password": FIRST, "fullName": "Zoe Young"}
    )
    bearer = {"authorization": f"Bearer {actor[1]['data']['accessToken']}"}
    patient = actor[1]["data"]["user"]["email"]
    actors.auth.Register(registered)
    changed = actors.http.put(
        "/auth/change-password", json={"currentPassword": FIRST, "newPassword": SECOND}, headers=bearer
    )
    wrong = actors.http.post("/auth/login", json={"email": patient, "password": WRONG})
    moved = actors.http.put("/auth/profile", json={"email": new_email(), "currentPassword": SECOND}, headers=bearer)
    assert (changed.status_code, wrong.status_code, moved.status_code) == (200, 401, 200)

    stored = dump(actors)
    requests = [each.SerializeToString(deterministic=True) for each in (created, registered)]
    assert str(key) in stored
    assert not found(stored, *(each.encode() for each in (FIRST, SECOND, THIRD, WRONG)), *requests)


@control("S92")
def test_the_search_finds_what_was_stored_before() -> None:
    request = auth.CreateUserRequest(password=FIRST).SerializeToString(deterministic=True)
    stored = f'{{"request_hash": "\\\\x{hashlib.sha256(request).hexdigest()}"}}'
    assert found(stored, request)
    assert found(base64.b64encode(hashlib.md5(FIRST.encode()).digest()).decode(), FIRST.encode())  # noqa: S324


@control("S92")
def test_requests_that_differ_in_secrets_alone_have_one_hash() -> None:
    one, other = (auth.CreateUserRequest(email="a@example.org", password=password) for password in (FIRST, SECOND))
    assert request_hash(one, KEY) == request_hash(other, KEY)
    assert request_hash(one, KEY) != request_hash(auth.CreateUserRequest(email="b@example.org"), KEY)
    assert request_hash(one, KEY) != request_hash(one, b"x" * 32)
    assert one.password == FIRST


def request_fields() -> list[FieldDescriptor]:
    pool = descriptor_pool.Default()
    methods = [method for name in SERVICES for method in pool.FindServiceByName(name).methods]
    return [field for method in methods for field in fields(method.input_type)]


@control("S92")
@cells("field", request_fields(), ids=lambda field: field.full_name)
def test_codes_and_fields_compared_as_sent_are_secret(field: FieldDescriptor) -> None:
    rule, words = field.GetOptions().Extensions[access_pb2.text], set(field.name.split("_"))
    verbatim = rule == access_pb2.TEXT_VERBATIM and field.name not in COMPARED_AS_SENT
    typed = rule == access_pb2.TEXT_NUMBER and "code" in words
    named = field.type != FieldDescriptor.TYPE_BOOL and bool({"password", "otp", "nonce", "secret"} & words)
    assert is_secret(field) == (verbatim or typed or named)
