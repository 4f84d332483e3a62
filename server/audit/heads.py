"""The kept heads of the chain, as they are read again: which of them count, and which cannot be checked."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.audit.hash_chain import Head, SignedHead, is_signed

HEAD_EVENT: Final = "audit_head"
"""The log event that carries a signed head."""
DAMAGED: Final = "damaged"
"""Stands for the key of a line that speaks of a head and holds none, or whose signature is wrong."""
UNNAMED: Final = "unnamed"
"""Stands for the key of a head that names none and that no known key signed."""


@dataclass(slots=True)
class KeptHeads:
    """The heads in kept lines."""

    heads: list[Head] = field(default_factory=list)
    """Those that a known key signed."""
    unchecked: Counter[str] = field(default_factory=Counter)
    """How many could not be checked, by the id of their key, UNNAMED or DAMAGED."""


def line_of(signed: SignedHead, timestamp: str) -> str:
    """Returns a head as a line of its sink, without the line's end."""
    entry = {
        "event": HEAD_EVENT,
        "timestamp": timestamp,
        "position": signed.position,
        "hash": signed.hash,
        "key": signed.key,
        "signature": signed.signature,
    }
    return json.dumps(entry)


def read_heads(lines: Iterable[str], keys: Mapping[str, Ed25519PublicKey]) -> KeptHeads:
    """Returns the heads in the lines of a sink or a log, and counts those that cannot be checked.

    keys: the public keys of all heads, by their ids. Lines that speak of no head are skipped.
    """
    kept = KeptHeads()
    for line in lines:
        entry = _head_entry(line)
        if entry is None:
            continue
        signed = _signed_head(entry)
        if signed is None:
            kept.unchecked[DAMAGED] += 1
        elif any(is_signed(signed, key) for key in _candidates(signed, keys)):
            kept.heads.append(Head(signed.position, bytes.fromhex(signed.hash)))
        else:
            kept.unchecked[DAMAGED if signed.key in keys else signed.key or UNNAMED] += 1
    return kept


def _candidates(signed: SignedHead, keys: Mapping[str, Ed25519PublicKey]) -> Iterable[Ed25519PublicKey]:
    if not signed.key:
        return keys.values()
    return [keys[signed.key]] if signed.key in keys else []


def _head_entry(line: str) -> Mapping[str, Any] | None:
    """Returns what a line says as a head, which is nothing when it was torn; None for a line about something else.

    A log's keeper may have put words of its own before ours. What callers put into other lines makes none a head.
    """
    try:
        entry = json.loads(line[max(line.find("{"), 0) :])
    except ValueError:
        return {} if f'"event": "{HEAD_EVENT}"' in line else None
    return entry if isinstance(entry, dict) and entry.get("event") == HEAD_EVENT else None


def _signed_head(entry: Mapping[str, Any]) -> SignedHead | None:
    match entry:
        case {"position": int(position), "hash": str(text), "signature": str(signature)}:
            return SignedHead(position, text, str(entry.get("key", "")), signature)
        case _:
            return None
