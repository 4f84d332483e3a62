"""A production instance serves nothing that is for engineers, and treats no patient that is not identified."""

import json
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from server.config.settings import read_settings
from server.edge.config import TEMPLATE, filled_in
from server.edge.sites import PAGE_SITES, SITES, Site
from server.runtime.instance import edge_config
from tests.fixtures.actors import Actors
from tests.fixtures.instance import RunningInstance, running_instance
from tests.fixtures.proofs import control

REFLECTION = [
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
]
CHANNELZ = [f"/grpc.channelz.v1.Channelz/{name}" for name in ("GetServers", "GetTopChannels", "GetSocket")]
LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


@pytest.fixture(scope="module")
def production(shared_database_url: str) -> Iterator[RunningInstance]:
    with running_instance(
        shared_database_url,
        medconnect_env="production",
        jwt_secret=secrets.token_hex(32),
        qr_encryption_key=secrets.token_hex(32),
        smtp_host="127.0.0.1",
    ) as instance:
        yield instance


@pytest.fixture(scope="module")
def actors(production: RunningInstance) -> Iterator[Actors]:
    with Actors(production) as actors:
        yield actors


def code(actors: Actors, path: str, metadata: Any) -> grpc.StatusCode:
    """Returns how a call ends that the server must refuse."""
    call: Any = actors.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as refused:
        call(b"", timeout=5, metadata=metadata)
    found: grpc.StatusCode = refused.value.code()
    return found


@control("S76")
@pytest.mark.parametrize("path", [*REFLECTION, *CHANNELZ])
def test_reflection_and_channelz_are_not_served(actors: Actors, path: str) -> None:
    assert code(actors, path, actors.admin.metadata) is grpc.StatusCode.UNIMPLEMENTED
    assert code(actors, path, None) in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED)


@control("S76")
@pytest.mark.parametrize("path", ["/stats", "/config_dump", "/server_info", "/ready", "/quitquitquit", "/debug"])
def test_the_edge_serves_no_admin_interface(actors: Actors, path: str) -> None:
    for method in ("GET", "POST"):
        response = actors.http.request(method, f"{actors.instance.rest}{path}")
        assert response.status_code in (404, 405, 415)
        assert response.json()["success"] is False


@control("S76")
@pytest.mark.parametrize("path", ["/api-docs", "/api-docs/", "/api-docs/init.js", "/api-docs/openapi.json"])
def test_api_docs_are_served_in_development_only(actors: Actors, instance: RunningInstance, path: str) -> None:
    assert httpx.get(f"{actors.instance.rest}{path}").status_code == 404
    assert httpx.get(f"{instance.rest}{path}").status_code == 200
    assert httpx.get(f"{actors.instance.rest}/").status_code == 200, "the page itself is public"


@control("S76")
@pytest.mark.parametrize(
    ("environment", "asked", "served"), [("production", True, SITES), ("development", False, PAGE_SITES)]
)
def test_api_docs_are_served_where_a_setting_asks(environment: str, asked: bool, served: tuple[Site, ...]) -> None:
    settings = read_settings(medconnect_env=environment, api_docs=asked)
    assert edge_config(settings, ()).sites == served


@control("S73")
@pytest.mark.parametrize(
    ("url", "hsts"), [("https://care.example", "max-age=31536000; includeSubDomains"), ("http://care.example", "")]
)
def test_hsts_is_sent_where_browsers_use_tls_of_a_proxy(url: str, hsts: str) -> None:
    config = edge_config(read_settings(frontend_url=url), ())
    assert f"strict-transport-security, value: {json.dumps(hsts)}" in filled_in(config, TEMPLATE.read_text())


def test_edge_workers_are_as_configured_or_one_per_core() -> None:
    assert edge_config(read_settings(edge_workers=3), ()).concurrency == 3
    assert edge_config(read_settings(), ()).concurrency == os.cpu_count()


@control("S160")
def test_stranger_with_a_patients_name_is_not_treated(actors: Actors) -> None:
    """A stranger registers with a patient's name and date of birth: no doctor takes them for the patient."""
    doctor, who = actors.doctor, {"fullName": "Vera Veracity", "dateOfBirth": "1980-01-31", "gender": "female"}
    status, made = actors.rest("POST", "/doctors/patients", doctor, {**who, "document": "passport"})
    assert status == 201, made
    stranger = actors.new_patient("Vera Veracity")
    for text in ("vera veracity", "1980-01-31 vera", stranger.email):
        _, found = actors.rest("POST", "/doctors/patients/search", doctor, {"search": text})
        assert stranger.patient_id not in {row["id"] for row in found["data"]["patients"]}, text

    _, record = actors.rest("GET", f"/doctors/patients/{stranger.patient_id}", doctor)
    number = record["data"]["patient"]["referenceNumber"]
    _, found = actors.rest("POST", "/doctors/patients/search", doctor, {"search": number})
    assert [row["assurance"] for row in found["data"]["patients"]] == ["self_asserted"]
    visit = {
        "patientId": stranger.patient_id,
        "visitDate": "2026-01-31",
        "visitType": "consultation",
        "chiefComplaint": "Cough",
    }
    medicine = {"medicineName": "Ibuprofen", "dosage": "400 mg", "frequency": "daily", "quantity": 10}
    prescription = {"patientId": stranger.patient_id, "diagnosis": "Cough", "items": [medicine]}
    writes = (("/doctors/medical-visits", visit), ("/doctors/prescriptions", prescription))
    for path, body in writes:
        status, refused = actors.rest("POST", path, doctor, body)
        assert (status, refused["error"]["type"]) == (400, "PATIENT_NOT_IDENTIFIED")

    identification = f"/doctors/patients/{stranger.patient_id}/identification"
    assert actors.rest("POST", identification, doctor, {"document": "passport"})[0] == 200
    assert [actors.rest("POST", path, doctor, body)[0] for path, body in writes] == [201, 201]


@control("S76")
def test_envoy_listens_on_its_two_addresses_and_nowhere_else(production: RunningInstance) -> None:
    assert listening(envoy_of(production)) == {production.rest.removeprefix("http://"), production.grpc}


def envoy_of(instance: RunningInstance) -> Path:
    """Returns the /proc folder of the instance's Envoy."""
    config = str(instance.home / "envoy/envoy.yaml").encode()
    [found] = [path for path in Path("/proc").glob("[0-9]*") if config in arguments(path)]
    return found


def arguments(process: Path) -> list[bytes]:
    """Returns a process's command line; empty if it has ended meanwhile."""
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def listening(process: Path) -> set[str]:
    """Returns the TCP listeners of a process, as `host:port` of IPv4 or the raw words of IPv6."""
    own = {link.readlink().name for link in (process / "fd").iterdir() if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENING and f"socket:[{rest[5]}]" in own:
                host, _, port = local.partition(":")
                if table == "tcp":
                    host = socket.inet_ntoa(bytes.fromhex(host)[::-1])
                found.add(f"{host}:{int(port, 16)}")
    return found
