"""The `medconnect-pharmacy` command: the interactive terminal, and a subcommand for each step, for scripts."""

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from medconnect_client import Tls
from medconnect_client.errors import SecondFactorRequired
from medconnect_client.models import FoundPrescriptions, PharmacyAction
from medconnect_client.terminal import dispensing, screens
from medconnect_client.terminal.counter import Counter
from medconnect_client.terminal.desk import Desk, Server, open_desk
from medconnect_client.terminal.entries import EntryWrong, Kind, read_day, read_entry
from medconnect_client.terminal.pictures import read_picture
from medconnect_client.terminal.prompts import CODE_QUESTION, Prompts

EPILOG: Final = (
    "Exit codes: 0 success · 1 rejected, nothing was changed · 2 invalid command · 3 sign in first · 4 server not "
    "reachable, nothing was changed · 5 outcome unknown: repeat with --key · 6 internal error · 130 interrupted"
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="MedConnect for pharmacies. Without a command, starts the interactive terminal.",
    epilog=EPILOG,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Key = Annotated[str | None, typer.Option(help="The idempotency key of a command whose response was lost.")]
Notes = Annotated[str | None, typer.Option(help="Notes for the prescription's log.")]
Prescription = Annotated[str, typer.Argument(help="The prescription's id, or its number (RX-…).")]


@app.callback(invoke_without_command=True)
def counter(
    context: typer.Context,
    address: Annotated[
        str, typer.Option(envvar="MEDCONNECT_ADDRESS", help="The server, host:port.")
    ] = "127.0.0.1:50051",
    ca: Annotated[
        Path | None, typer.Option(envvar="MEDCONNECT_CA", help="Certificate authorities to trust (PEM).")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(envvar="MEDCONNECT_CERTIFICATE", help="This terminal's certificate (PEM).")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option(envvar="MEDCONNECT_PRIVATE_KEY", help="This terminal's private key (PEM).")
    ] = None,
    home: Annotated[
        Path, typer.Option(envvar="MEDCONNECT_TERMINAL_HOME", help="The folder of the session's tokens.")
    ] = Path("~/.local/state/medconnect"),
) -> None:
    """Start the interactive terminal."""
    tls = Tls(ca, certificate, private_key) if ca or certificate or private_key else None
    context.obj = Server(address, tls, home.expanduser())
    if context.invoked_subcommand is None:
        with open_desk(context.obj) as desk:
            Counter(desk.client, desk.console, Prompts(desk.console), desk.waiting, address).run()


@app.command()
def sign_in(
    context: typer.Context,
    email: Annotated[str, typer.Option(prompt="Email")],
    password_stdin: Annotated[
        bool,
        typer.Option(
            help="Read the password, and on a second line the code of the second factor, from standard input."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in and store the session's tokens."""
    with open_desk(context.obj, as_json=as_json) as desk:
        password = sys.stdin.readline().rstrip("\n") if password_stdin else Prompts(desk.console).hidden("Password: ")
        try:
            user = desk.call("Signing in", lambda: desk.client.sign_in(email, password))
        except SecondFactorRequired as required:
            challenge = required.challenge
            code = sys.stdin.readline().strip() if password_stdin else Prompts(desk.console).hidden(CODE_QUESTION)
            user = desk.call("Signing in", lambda: desk.client.complete_sign_in(challenge, code))
        desk.answer(user, screens.good(f"{user.full_name}, {user.pharmacy_name}"))


@app.command()
def sign_out(context: typer.Context, as_json: AsJson = False) -> None:
    """End the session and delete its tokens."""
    with open_desk(context.obj, as_json=as_json) as desk:
        desk.call("Signing out", desk.client.sign_out)
        desk.answer({}, screens.good("Signed out."))


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that the server is reachable, and show the signed-in account."""
    with open_desk(context.obj, as_json=as_json) as desk:
        user = desk.call("Connecting", desk.client.auth.current_user)
        desk.answer(user, screens.good(f"{user.full_name}, {user.pharmacy_name}, at {context.obj.address}"))


@app.command()
def sessions(context: typer.Context, as_json: AsJson = False) -> None:
    """List your sessions, newest first."""
    with open_desk(context.obj, as_json=as_json) as desk:
        found = desk.call("Reading", lambda: list(desk.client.auth.sessions()))
        desk.answer(found, screens.sessions_table(found))


@app.command()
def end_session(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(help="The session's id, as `sessions` shows it.")] = None,
    others: Annotated[bool, typer.Option("--others", help="End all sessions but this terminal's.")] = False,
    as_json: AsJson = False,
) -> None:
    """End one of your sessions, or all others."""
    with open_desk(context.obj, as_json=as_json) as desk:
        if (session is None) != others:
            raise EntryWrong("Enter the id of a session, or --others.")
        if session is None:
            ended = desk.call("Ending", desk.client.auth.end_other_sessions)
        else:
            desk.call("Ending", lambda: desk.client.auth.end_session(str(session)))
            ended = 1
        desk.answer({"endedSessions": ended}, screens.good(f"Ended sessions: {ended}."))


@app.command()
def scan(
    context: typer.Context,
    entry: Annotated[
        str, typer.Argument(help="The text of a QR code, a number, the path of a picture, or - for standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show the prescriptions of a QR code, a number or a picture."""
    with open_desk(context.obj, as_json=as_json) as desk:
        found = _find_prescriptions(desk, sys.stdin.readline() if entry == "-" else entry)
        shown = screens.prescription_panel(found[0].prescription) if len(found) == 1 else screens.found_table(found)
        desk.answer(found, shown)
        if found.has_more:
            desk.console.print(screens.more_open(found))


@app.command()
def claim(
    context: typer.Context,
    prescription: Prescription,
    notes: Notes = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Claim a scanned prescription; `release` ends the claim."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = _id(desk, prescription)
        held = desk.call("Claiming", lambda: desk.client.pharmacy.validate(named, notes, idempotency_key=key))
        desk.answer(held, screens.good(f"Claimed until {screens.moment(held.claim_expires_at)}."))


@app.command()
def release(context: typer.Context, prescription: Prescription, key: Key = None, as_json: AsJson = False) -> None:
    """Release a claim."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = _id(desk, prescription)
        released = desk.call("Releasing", lambda: desk.client.pharmacy.release(named, idempotency_key=key))
        desk.answer(released, screens.good("Claim released."))


@app.command()
def end_claim(context: typer.Context, prescription: Prescription, key: Key = None, as_json: AsJson = False) -> None:
    """End a colleague's claim; for administrators of the pharmacy."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = prescription if key is not None else _id(desk, prescription)
        ended = desk.call("Ending", lambda: desk.client.pharmacy.end_claim(named, idempotency_key=key))
        desk.answer(ended, screens.good("Claim ended."))


@app.command()
def dispense(
    context: typer.Context,
    prescription: Prescription,
    line: Annotated[
        list[str],
        typer.Option(
            help="ITEM:QUANTITY:PRICE:BATCH:EXPIRY, or the package's code for the last two; ITEM is the medicine's "
            "position, from 1, or its id."
        ),
    ],
    substitute: Annotated[
        list[str] | None,
        typer.Option(help="ITEM:PRODUCT:REASON, for a medicine of which another product is given."),
    ] = None,
    notes: Notes = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Claim a prescription and dispense all of the given lines, or none."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = prescription if key is not None else _id(desk, prescription)
        done = dispensing.dispense(desk, named, dispensing.Written(line, substitute or ()), notes, key)
        desk.answer(done, screens.dispensed(done))


@app.command()
def reject(
    context: typer.Context, prescription: Prescription, reason: str, key: Key = None, as_json: AsJson = False
) -> None:
    """Reject a prescription; the patient and the doctor see the reason."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = prescription if key is not None else _id(desk, prescription)
        rejected = desk.call("Rejecting", lambda: desk.client.pharmacy.reject(named, reason, idempotency_key=key))
        desk.answer(rejected, screens.good("Rejected. The patient and the doctor are notified."))


@app.command()
def close(
    context: typer.Context, prescription: Prescription, reason: str, key: Key = None, as_json: AsJson = False
) -> None:
    """Close the rest of a partly dispensed prescription; the patient and the doctor see the reason."""
    with open_desk(context.obj, as_json=as_json) as desk:
        named = prescription if key is not None else _id(desk, prescription)
        closed = desk.call("Closing", lambda: desk.client.pharmacy.close(named, reason, idempotency_key=key))
        desk.answer(closed, screens.good("Closed. The patient and the doctor are notified."))


@app.command()
def history(
    context: typer.Context,
    from_day: Annotated[str | None, typer.Option("--from", help="The first day, YYYY-MM-DD.")] = None,
    to_day: Annotated[str | None, typer.Option("--to", help="The last day.")] = None,
    action: PharmacyAction | None = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List your actions, newest first."""
    with open_desk(context.obj, as_json=as_json) as desk:
        days = {"from_date": from_day and read_day(from_day), "to_date": to_day and read_day(to_day)}
        entries = desk.client.pharmacy.history(action=action, **{name: day for name, day in days.items() if day})
        found = desk.call("Reading", lambda: list(islice(entries, limit)))
        desk.answer(found, screens.history_table(found))


@app.command()
def log(context: typer.Context, prescription: Prescription, as_json: AsJson = False) -> None:
    """List the pharmacy actions on a prescription."""
    with open_desk(context.obj, as_json=as_json) as desk:
        found = desk.call("Reading", lambda: list(desk.client.pharmacy.log(_id(desk, prescription))))
        desk.answer(found, screens.log_table(found))


@app.command()
def receipt(context: typer.Context, prescription: Prescription, as_json: AsJson = False) -> None:
    """Show what you dispensed of a prescription; use its id once it is in a final state."""
    with open_desk(context.obj, as_json=as_json) as desk:
        found = desk.call("Reading", lambda: desk.client.pharmacy.receipt(_id(desk, prescription)))
        desk.answer(found, screens.receipt_table(found))


def _find_prescriptions(desk: Desk, text: str) -> FoundPrescriptions:
    entry = read_entry(text)
    if entry.kind is Kind.REFERENCE:
        return desk.call("Looking up", lambda: desk.client.pharmacy.lookup(entry.text))
    code = read_picture(Path(entry.text)) if entry.kind is Kind.PICTURE else entry.text
    return FoundPrescriptions([desk.call("Scanning", lambda: desk.client.pharmacy.scan(code))])


def _id(desk: Desk, named: str) -> str:
    """Returns the id of a prescription, given by id or number. Raises EntryWrong."""
    try:
        return str(UUID(named))
    except ValueError:
        pass
    found = _find_prescriptions(desk, named)
    if len(found) != 1:
        raise EntryWrong(f"{named} matches {len(found)} prescriptions; enter the number (RX-…) of one.")
    return found[0].prescription.id
