"""`medconnect audit`: proves that the sealed records of the audit are unchanged."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console

from server.audit import head_keys, verification
from server.audit.head_sinks import head_file
from server.audit.heads import SignedHeads, read_heads
from server.audit.verification import Verified
from server.config.settings import Settings
from server.runtime import instance, server

console: Final = Console(highlight=False, emoji=False, soft_wrap=True)
errors: Final = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

HeadFiles = Annotated[
    list[Path] | None,
    typer.Option("--heads", help="kept heads: a sink's file or a log of the worker; default: the file of AUDIT_HEADS"),
]
KeyFiles = Annotated[
    list[Path] | None,
    typer.Option("--keys", help="public keys of heads, as `keys heads` shows them; default: those of MEDCONNECT_HOME"),
]
Excused = Annotated[
    list[str] | None,
    typer.Option("--excuse", help="the key id (or `unnamed`, `damaged`) of heads that may stay unchecked"),
]


async def verify(
    settings: Settings, heads: list[Path] | None, keys: list[Path] | None, excused: list[str] | None
) -> None:
    """Compares hash chain, records and kept heads, and prints the findings. Raises typer.Exit if anything is wrong."""
    sources = heads or _own_heads(settings)
    kept = read_heads(_lines(sources), _known_keys(keys or [head_keys.public_file(settings.medconnect_home)]))
    async with (
        instance.database(settings) as urls,
        server.core(settings, urls.server, urls.sealer) as core,
    ):
        found = await verification.verify(core.work, kept.heads)
    faults = [*_chain_faults(found), *_head_faults(kept, frozenset(excused or ()))]
    if not kept.heads and (heads or (found.sealed and head_file(settings.audit_heads, settings.medconnect_home))):
        faults.append("There is no kept head to check: nothing was compared.")
    _print_findings(found, kept)
    for fault in faults:
        errors.print(fault, style="red", markup=False)
    if faults:
        raise typer.Exit(1)


def _own_heads(settings: Settings) -> list[Path]:
    path = head_file(settings.audit_heads, settings.medconnect_home)
    return [path] if path is not None and path.exists() else []


def _lines(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        with path.open(errors="replace") as file:
            yield from file


def _known_keys(paths: Iterable[Path]) -> Mapping[str, Ed25519PublicKey]:
    known: dict[str, Ed25519PublicKey] = {}
    for path in paths:
        if path.exists():
            known |= head_keys.read_public(path)
    return known


def _print_findings(found: Verified, kept: SignedHeads) -> None:
    console.print(f"{found.sealed} records are sealed and unchanged; compared with {len(kept.heads)} kept heads.")
    if kept.heads:
        after = found.sealed - max(head.position for head in kept.heads)
        console.print(f"{max(after, 0)} of them follow the last kept head.")
    if found.unsealed:
        console.print(f"{found.unsealed} records wait for their seal, the first since {found.unsealed_since}.")


def _chain_faults(found: Verified) -> Iterable[str]:
    if found.broken is not None:
        where = f"position {found.broken.position}, record {found.broken.record_id or 'unknown'}"
        yield f"The chain breaks at {where}: {found.broken.fault}."


def _head_faults(kept: SignedHeads, excused: frozenset[str]) -> Iterable[str]:
    for key, count in sorted(kept.unchecked.items()):
        if key in excused:
            console.print(f"{count} heads of key {key} were not checked, as you asked.", markup=False)
        else:
            yield f"{count} heads cannot be checked: key {key}. Give its public key (--keys), or excuse it (--excuse)."
