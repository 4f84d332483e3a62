"""`medconnect keys`: the keys that sign access tokens, in the file JWT_KEYS_FILE, and the key of the audit's heads.

Running processes reload the file: no restart is needed, and no session ends.
"""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from server.audit import head_keys
from server.auth.tokens import key_file
from server.auth.tokens.keys import KeyRing, KeyState
from server.clock import Clock
from server.config.secrets import SECRET_BYTES
from server.config.settings import ConfigurationWrong, read_settings

commands = typer.Typer(no_args_is_help=True, help="The keys that sign access tokens.")
console = Console(highlight=False, emoji=False, soft_wrap=True)
clock = Clock()


@commands.command()
def init(path: Annotated[Path | None, typer.Argument(help="the new file; default: JWT_KEYS_FILE")] = None) -> None:
    """Create the file. A configured JWT_SECRET becomes its root, so that all sessions stay valid."""
    configured = read_settings().jwt_secret
    root = configured.get_secret_value() if configured else secrets.token_hex(SECRET_BYTES)
    file = path or _file()
    key_file.create(file, KeyRing.new(root, clock.now()))
    console.print(f"Created {file}: set JWT_KEYS_FILE to it and remove JWT_SECRET.", markup=False)


@commands.command()
def rotate() -> None:
    """Sign with the next key. The previous one verifies until the last token that it signed has expired."""
    ring = key_file.change(_file(), lambda ring: ring.rotated(clock.now()))
    console.print(f"{ring.active.key_id} signs from now on.")


@commands.command(context_settings={"ignore_unknown_options": True})  # an id may begin with a hyphen
def retire(kid: Annotated[str, typer.Argument(help="the key's id, as `keys list` shows it")]) -> None:
    """Reject everything that this key has signed, because it may have been stolen."""
    key_file.change(_file(), lambda ring: ring.without(kid, clock.now()))
    console.print(f"{kid} is retired.", markup=False)


@commands.command()
def rotate_root() -> None:
    """Replace the root secret. Restart server and worker afterwards: they read it when they start."""
    key_file.change(_file(), lambda ring: ring.with_root(secrets.token_hex(SECRET_BYTES)))
    console.print("The root is replaced; the previous one is kept for page tokens. Restart server and worker now.")


@commands.command()
def rotate_head() -> None:
    """Replace the key that signs the audit's heads, from the next start of server and worker on."""
    key = head_keys.replace_key(read_settings().medconnect_home, clock.now())
    console.print(f"{key.key_id} signs the audit's heads from the next start on; older heads stay verifiable.")


@commands.command()
def heads() -> None:
    """Show the public keys of the audit's heads, as `audit verify --keys` reads them."""
    path = head_keys.public_file(read_settings().medconnect_home)
    console.print(path.read_text().rstrip(), markup=False)


@commands.command("list")
def list_() -> None:
    """Show the keys, newest first."""
    now = clock.now()
    for key in key_file.read(_file()).keys:
        over = key.state is KeyState.VERIFY_ONLY and not key.verifies(now)
        console.print(
            f"{key.key_id}  {'expired' if over else key.state:<11}  since {key.changed_at:%Y-%m-%d %H:%M:%S} UTC"
        )


def _file() -> Path:
    """Returns the configured key file. Raises ConfigurationWrong when none is configured."""
    file = read_settings().jwt_keys_file
    if file is None:
        raise ConfigurationWrong({"JWT_KEYS_FILE": "is missing"})
    return file
