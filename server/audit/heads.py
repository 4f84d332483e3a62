"""Writes and reads kept heads of the chain: the verified ones, and counts of those that cannot be checked."""

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
"""Replaces the key id of a line that should hold a head but does not, or whose signature is invalid."""
UNNAMED: Final = "unnamed"
"""Replaces the key id of a head that names no key and that no known key signed."""


@dataclass(slots=True)
class SignedHeads:
    """The heads found in kept lines."""

    heads: list[Head] = field(default_factory=list)
    """The heads that a known key signed."""
    unchecked: Counter[str] = field(default_factory=Counter)
    """Number of heads that could not be checked, by key id, UNNAMED or DAMAGED."""


def line_of(signed: SignedHead, timestamp: str) -> str:
    """Returns a head as a line of its sink, without a line break."""
    entry = {
        "event": HEAD_EVENT,
        "timestamp": timestamp,
        "position": signed.position,
        "hash": signed.hash,
        "key": signed.key,
        "signature": signed.signature,
    }
    return json.dumps(entry)


def read_heads(lines: Iterable[str], keys: Mapping[str, Ed25519PublicKey]) -> SignedHeads:
    """Returns the heads in the lines of a sink or a log, and counts those that cannot be checked.

    keys: the public keys of all heads, by their ids. Lines about anything else are skipped.
    """
    kept = SignedHeads()
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
    """Returns the entry of a line about a head, empty if the line is truncated; None for any other line.

    A log collector may prefix lines with its own text. Text from callers in other log lines cannot forge a head.
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
