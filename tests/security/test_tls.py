"""TLS for gRPC and REST, certificates of gRPC callers, and the connection to the database."""

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.db.engine import create_pool
from tests.fixtures.certificates import Authority, Pair
from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD, RunningInstance, running_instance
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

ROOT = Path(__file__).parents[2]
SECONDS = 10
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
FACES = pytest.mark.parametrize("face", ["grpc", "rest"])


@dataclass(frozen=True, slots=True)
class Secure:
    """An instance with TLS, and the files that its callers need."""

    instance: RunningInstance
    authority: Authority
    client: Pair
    folder: Path
    """The path of the server's certificate."""

    def address(self, face: str) -> tuple[str, int]:
        """Returns the address on which that transport listens."""
        host, _, port = {"grpc": self.instance.grpc, "rest": self.instance.rest}[face].rpartition(":")
        return host.removeprefix("https://"), int(port)

    def call(self, client: Pair | None, root: bytes | None = None) -> grpc.StatusCode:
        """Returns how a gRPC call ends that shows this certificate, or none."""
        shown = (client.key, client.certificate) if client else (None, None)
        credentials = grpc.ssl_channel_credentials(root or self.authority.root, *shown)
        with grpc.secure_channel(self.instance.grpc, credentials) as channel:
            return ending(channel)

    def name_shown(self, face: str) -> str:
        """Returns the name in the certificate that a caller of that transport is shown."""
        context = ssl.create_default_context(cadata=self.authority.root.decode())
        context.load_cert_chain(*self.client.save(self.folder, "client"))
        with (
            socket.create_connection(self.address(face), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            shown = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
        return shown.subject.rfc4514_string().removeprefix("CN=")


def ending(channel: grpc.Channel) -> grpc.StatusCode:
    stub = auth_service_pb2_grpc.AuthServiceStub(channel)
    try:
        stub.GetKeySet(auth.GetKeySetRequest(), timeout=SECONDS)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def secure(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    authority, folder = Authority(), tmp_path_factory.mktemp("tls")
    certificate, key = authority.pair("first").save(folder)
    (folder / "clients.pem").write_bytes(authority.root)
    files = {"tls_cert": certificate, "tls_key": key, "tls_client_ca": folder / "clients.pem"}
    with running_instance(shared_database_url, **files) as instance:
        yield Secure(instance, authority, authority.pair("a pharmacy"), folder)


@control("S77")
def test_grpc_accepts_certificate_of_the_authority(secure: Secure) -> None:
    assert secure.call(secure.client) is grpc.StatusCode.OK


@control("S77")
@pytest.mark.parametrize("shown", ["none", "of another authority"])
def test_grpc_refuses_other_or_missing_certificate(secure: Secure, shown: str) -> None:
    client = None if shown == "none" else Authority().pair("a pharmacy")
    assert secure.call(client) is grpc.StatusCode.UNAVAILABLE


@control("S77")
def test_client_of_another_authority_does_not_connect(secure: Secure) -> None:
    assert secure.call(secure.client, Authority().root) is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{secure.instance.rest}/health", verify=ssl.create_default_context())


@control("S77")
def test_rest_speaks_tls_and_tells_browsers_to_stay_with_it(secure: Secure) -> None:
    trusting = ssl.create_default_context(cadata=secure.authority.root.decode())
    for path, status in (("/health", 200), ("/api/v1/auth/jwks", 200), ("/api/v1/users", 401), ("/nothing", 404)):
        answer = httpx.get(f"{secure.instance.rest}{path}", verify=trusting)
        assert answer.status_code == status
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@control("S77")
def test_page_grpc_and_grpc_web_use_tls_on_the_rest_port(secure: Secure) -> None:
    rest, trusting = secure.instance.rest, ssl.create_default_context(cadata=secure.authority.root.decode())
    assert httpx.get(rest, verify=trusting).headers["content-type"] == "text/html; charset=utf-8"
    credentials = grpc.ssl_channel_credentials(secure.authority.root)
    with grpc.secure_channel(rest.removeprefix("https://"), credentials) as channel:
        assert ending(channel) is grpc.StatusCode.OK
    web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    path = f"{rest}/medconnect.auth.v1.AuthService"
    answer = httpx.post(f"{path}/GetKeySet", content=bytes(5), headers=web, verify=trusting)
    assert (answer.http_version, answer.headers["content-type"]) == ("HTTP/1.1", "application/grpc-web+proto")
    length = int.from_bytes(answer.content[1:5], "big")
    assert auth.GetKeySetResponse.FromString(answer.content[5 : 5 + length]).keys[0].alg == "EdDSA"
    assert answer.content[5 + length] == 0x80
    assert b"grpc-status:0" in answer.content[5 + length :]
    refused = httpx.post(f"{path}/GetCurrentUser", content=bytes(5), headers=web, verify=trusting)
    assert (refused.status_code, refused.headers["grpc-status"]) == (200, "16")


@control("S81")
def test_refresh_cookie_set_over_tls_is_secure(secure: Secure) -> None:
    trusting = ssl.create_default_context(cadata=secure.authority.root.decode())
    credentials = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    url = f"{secure.instance.rest}/api/v1/auth/login"
    answer = httpx.post(url, json=credentials, headers={"x-refresh-cookie": "true"}, verify=trusting)
    assert answer.headers["set-cookie"].startswith("__Host-medconnect_refresh=")
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_without_tls_nothing_is_said_of_it(instance: RunningInstance) -> None:
    assert "strict-transport-security" not in httpx.get(f"{instance.rest}/health").headers


@control("S77")
@FACES
@VERSIONS
def test_older_versions_than_1_2_are_refused(secure: Secure, face: str, version: ssl.TLSVersion) -> None:
    assert handshake(secure, face, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(OSError, match=r"EOF|ALERT|alert|reset"):
        handshake(secure, face, version)


def handshake(secure: Secure, face: str, version: ssl.TLSVersion) -> str | None:
    """Offers one version of TLS, with every cipher that this machine's library has for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*secure.client.save(secure.folder, "client"))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(secure.address(face), SECONDS) as plain, context.wrap_socket(plain) as secured:
        return secured.version()


KNOCK = """
import server, asyncio, grpc.aio, ssl, sys, socket
from pathlib import Path
from server.api.listening import listen
from server.config.tls import TlsFiles

async def main(folder):
    served = grpc.aio.server()
    port = listen(served, "127.0.0.1:0", TlsFiles(folder / "server.pem", folder / "server.key", folder / "clients.pem"))
    await served.start()
    await asyncio.to_thread(knock, port)
    await served.stop(0)

def knock(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("x", 'x\\n{"event": "audit_head", "fake": 1}\\n'):
        with socket.create_connection(("127.0.0.1", port)) as plain:
            try:
                with context.wrap_socket(plain, server_hostname=name) as secured:
                    secured.read()
            except OSError:
                continue

asyncio.run(main(Path(sys.argv[1])))
"""


@control("S63")
def test_tls_client_with_chosen_name_writes_no_log_line(secure: Secure) -> None:
    command = [sys.executable, "-c", KNOCK, str(secure.folder)]
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout + ended.stderr == ""


@control("S77")
@FACES
def test_without_tls_nobody_is_answered(secure: Secure, face: str) -> None:
    if face == "grpc":
        with grpc.insecure_channel(secure.instance.grpc) as channel:
            assert ending(channel) is grpc.StatusCode.UNAVAILABLE
    else:
        with pytest.raises(httpx.TransportError):
            httpx.get(secure.instance.rest.replace("https:", "http:") + "/health")


@control("S77")
def test_edge_reaches_server_through_private_socket(secure: Secure) -> None:
    home = secure.instance.home
    written = (home / "envoy" / "envoy.yaml").read_text()
    endpoints = map(json.loads, re.findall(r"lb_endpoints: (.+)$", written, re.MULTILINE))
    assert list(endpoints) == 2 * [[{"endpoint": {"address": {"pipe": {"path": str(home / "server.sock")}}}}]]
    assert (home / "server.sock").stat().st_mode & 0o077 == 0


def test_a_renewed_certificate_is_shown_without_a_restart(secure: Secure) -> None:
    for name in ("second", "third"):
        secure.authority.pair(name).save(secure.folder)
        wait_for_name(secure, name)


def test_half_a_renewal_leaves_the_former_certificate_in_force(secure: Secure) -> None:
    before = secure.name_shown("grpc")
    renewed = secure.authority.pair("fourth")
    (secure.folder / "server.pem").write_bytes(renewed.certificate)
    assert [secure.name_shown("grpc"), secure.name_shown("rest")] == [before, before]
    renewed.save(secure.folder)
    wait_for_name(secure, "fourth")


def wait_for_name(secure: Secure, name: str) -> None:
    """Waits until both transports show that certificate: a handshake during the replacement still shows the former."""
    deadline = time.monotonic() + within(SECONDS)
    for face in ("grpc", "rest"):
        while secure.name_shown(face) != name:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@control("S77")
async def test_database_without_required_certificate_gets_no_data(tmp_path: Path) -> None:
    heard, over = bytearray(), asyncio.Event()

    async def answer_without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readexactly(8))  # an SSLRequest
        writer.write(b"N")
        heard.extend(await reader.read())
        writer.close()
        await writer.wait_closed()
        over.set()

    (tmp_path / "root.pem").write_bytes(Authority().root)
    async with await asyncio.start_server(answer_without_tls, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://me:secret@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert={tmp_path}/root.pem"
        pool = create_pool(url, pool_size=1)
        with pytest.raises(ConnectionError, match="SSL"):
            await pool.connection().__aenter__()
        await over.wait()
    assert len(heard) == 8
