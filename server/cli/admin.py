"""`medconnect admin`: for an operator whose admin has lost the password."""

from typing import Annotated, Final

import typer
from rich.console import Console

from server.config.settings import Settings
from server.errors import NotFound
from server.runtime import instance, server

console: Final = Console(highlight=False, emoji=False, soft_wrap=True)

Email = Annotated[str | None, typer.Argument(help="the admin's email address; default: ADMIN_EMAIL")]


class NoAdmin(Exception):
    """The address is not that of an active admin."""


async def reset_password(settings: Settings, email: str | None) -> None:
    """Replaces the password of an admin and prints the new one. Raises NoAdmin."""
    address = email or settings.admin_email
    async with instance.database(settings) as urls, server.core(settings, urls.server, urls.sealer) as core:
        with server.use_cases(core) as services:
            try:
                password = await services.passwords.replace_for_admin(address)
            except NotFound:
                raise NoAdmin(f"{address} is not an active admin") from None
    console.print("The admin's sessions have ended. A second factor is still asked for.")
    console.print(f"Sign in as {address} with {password}", markup=False)
