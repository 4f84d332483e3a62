"""Tells the person who starts an instance where it is, and the first admin's password as the last line."""

from typing import Final

from rich.console import Console

from server.config.settings import Settings
from server.runtime.instance import Instance

console: Final = Console(highlight=False, emoji=False, soft_wrap=True)


def greet(settings: Settings, running: Instance) -> None:
    """Prints the addresses of an instance, where its emails go, and a generated password."""
    console.print(f"[bold]MedConnect[/bold] serves gRPC on {running.grpc_address} and REST on {running.rest_url}")
    if running.direct_address is not None:
        console.print(f"gRPC is also served directly on {running.direct_address}: only trusted networks may reach it.")
    if settings.smtp_host is None:
        console.print(f"Emails are written to {settings.medconnect_home / 'mail'}.", markup=False)
    console.print("Ctrl-C stops everything.")
    console.print(f"Open [bold]{running.rest_url}[/bold] in a browser.")
    tell_password(settings, running.new_admin_password)


def tell_password(settings: Settings, generated: str | None) -> None:
    """Prints a generated password of the first admin, which cannot be read again."""
    if generated is not None:
        console.print("The first admin's password is shown only once; `medconnect admin reset-password` replaces it.")
        console.print(f"Sign in as {settings.admin_email} with {generated}", markup=False)
