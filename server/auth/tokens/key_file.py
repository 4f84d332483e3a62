"""The key ring as a file (`JWT_KEYS_FILE`): readable only by its owner, replaced atomically, watched by processes."""

import fcntl
import logging
import os
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from server import background, base64url
from server.auth.tokens.keys import KeyNotUsable, KeyRing, KeyState, SigningKey
from server.config.settings import LEAST_SECRET_BYTES

POLL_SECONDS: Final = 1.0
OTHERS: Final = 0o077
"""The permission bits of group and others."""

_log = structlog.get_logger()


class KeyFileWrong(KeyNotUsable):
    """The file cannot be used; the text gives the reason and contains nothing of the file."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kid: str
    state: KeyState
    public: str
    private: str | None = None
    changed_at: AwareDatetime
    verifies_until: AwareDatetime | None = None


def _long_enough(root: str) -> str:
    if len(root.encode()) < LEAST_SECRET_BYTES:  # the minimum of JWT_SECRET, which may become a root
        raise ValueError("too short")
    return root


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    root: Annotated[str, AfterValidator(_long_enough)]
    former_roots: list[Annotated[str, AfterValidator(_long_enough)]] = []
    keys: list[_Record]


def read(path: Path) -> KeyRing:
    """Reads the ring. Raises KeyFileWrong for a file that others may read or that contains no ring, and OSError."""
    if path.stat().st_mode & OTHERS:
        raise KeyFileWrong("the key file is open to others than its owner: its mode must be 0600")
    try:
        file = _File.model_validate_json(path.read_bytes())
        ring = KeyRing(file.root, tuple(map(_key, file.keys)), tuple(file.former_roots))
        _ = ring.active
    except ValueError:  # pydantic's and KeyNotUsable are among them
        raise KeyFileWrong("the key file contains no key ring, or one without an active key") from None
    return ring


def create(path: Path, ring: KeyRing) -> None:
    """Writes a new file. Raises FileExistsError, because overwriting a ring would sign out all users."""
    with _lock_file(path) as file:
        if file.exists():
            raise FileExistsError(f"{path} exists already")
        _write(file, ring)


def change(path: Path, step: Callable[[KeyRing], KeyRing]) -> KeyRing:
    """Replaces the ring with the result of `step` and returns it. Raises the errors of `read` and of `step`."""
    with _lock_file(path) as file:
        ring = step(read(file))
        _write(file, ring)
    return ring


@asynccontextmanager
async def followed(
    path: Path, use: Callable[[KeyRing], None], changed: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Watches the file while the block runs: passes the ring to `use` within a second of each change.

    changed: called after each change that happened while the process ran.
    """
    async with background.running(_follow(path, use, changed)):
        yield


async def _follow(path: Path, use: Callable[[KeyRing], None], changed: Callable[[], Awaitable[None]]) -> None:
    seen = None  # the file may have changed since the start, so the first poll reads it again

    async def read_if_changed() -> None:
        nonlocal seen
        if (now := _version(path)) != seen:
            use(ring := read(path))
            while_running, seen = seen is not None, now
            _log.info("key_ring_read", active=ring.active.key_id)
            if while_running:
                await changed()

    await background.repeat(read_if_changed, every=POLL_SECONDS, failed="key_file_not_read", level=logging.ERROR)


def _version(path: Path) -> tuple[int, int]:
    """Returns a version of the file that differs after every replacement."""
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


@contextmanager
def _lock_file(path: Path) -> Iterator[Path]:
    """Locks the file's folder, so that one command at a time changes the file; yields the path without links."""
    file = path.resolve()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(folder)


def _write(path: Path, ring: KeyRing) -> None:
    """Replaces the file atomically by a new one with the same owner."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # creates it with mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            if path.exists():
                os.fchown(handle, path.stat().st_uid, path.stat().st_gid)
            file.write(_text(ring))
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _text(ring: KeyRing) -> str:
    keys = [_record(key) for key in ring.keys]
    file = _File(root=ring.root, former_roots=list(ring.former_roots), keys=keys)
    return file.model_dump_json(indent=2, exclude_none=True)


def _record(key: SigningKey) -> _Record:
    return _Record(
        kid=key.key_id,
        state=key.state,
        public=key.published().x,
        private=base64url.encode(key.private.private_bytes_raw()) if key.private else None,
        changed_at=key.changed_at,
        verifies_until=key.verifies_until,
    )


def _key(record: _Record) -> SigningKey:
    """Returns the key of a record. Raises ValueError for an inconsistent record."""
    if record.private is not None:
        private = Ed25519PrivateKey.from_private_bytes(_bytes(record.private))
        key = SigningKey.new(private, record.state, record.changed_at)
        if (key.key_id, key.published().x) != (record.kid, record.public):
            raise ValueError("a private key does not belong to its public key")
        return key
    if record.state in (KeyState.NEXT, KeyState.ACTIVE):
        raise ValueError("a key that signs has no private part")
    public = Ed25519PublicKey.from_public_bytes(_bytes(record.public))
    return SigningKey(record.kid, public, None, record.state, record.changed_at, record.verifies_until)


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
