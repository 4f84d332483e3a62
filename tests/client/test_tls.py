"""Connections use TLS, optionally with a client certificate, or do not leave the machine."""

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from medconnect_client import AsyncClient, RetryPolicy, Tls, _channel, errors

from tests.client.messages import signed_in
from tests.fixtures.scripted_service import scripted_service

ONCE = RetryPolicy(attempts=1)


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        self.ca = self._write("ca.pem", self._certificate(self._name, self._key, authority=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Returns the files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._write(f"{name}.pem", self._certificate(subject, key))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate, self._write(f"{name}.key", pem)

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("medconnect.test"), x509.IPAddress(ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server_side(authority: Authority, *, asks_for_certificate: bool = False) -> grpc.ServerCredentials:
    certificate, key = authority.issue("server")
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=authority.ca.read_bytes() if asks_for_certificate else None,
        require_client_auth=asks_for_certificate,
    )


async def test_the_server_is_known_by_its_authority(authority: Authority) -> None:
    async with scripted_service(server_side(authority)) as service:
        service.answer(signed_in())
        async with AsyncClient(service.address, tls=Tls(ca=authority.ca)) as client:
            assert (await client.sign_in("p@example.org", "secret")).id == "u1"


async def test_a_strangers_server_is_not_talked_to(authority: Authority) -> None:
    async with scripted_service(server_side(authority)) as service:
        async with AsyncClient(service.address, tls=Tls(), retry=ONCE) as client:
            with pytest.raises(errors.Unavailable):
                await client.sign_in("p@example.org", "secret")
        assert service.asked == []


async def test_another_name_than_the_address_can_be_asked_for(authority: Authority) -> None:
    async with scripted_service(server_side(authority)) as service:
        service.answer(signed_in())
        named = Tls(ca=authority.ca, server_name="medconnect.test")
        async with AsyncClient(f"localhost:{service.port}", tls=named) as client:
            await client.sign_in("p@example.org", "secret")
        wrong = Tls(ca=authority.ca, server_name="elsewhere.test")
        async with AsyncClient(service.address, tls=wrong, retry=ONCE) as client:
            with pytest.raises(errors.Unavailable):
                await client.sign_in("p@example.org", "secret")


async def test_a_client_shows_its_certificate(authority: Authority) -> None:
    certificate, key = authority.issue("terminal")
    async with scripted_service(server_side(authority, asks_for_certificate=True)) as service:
        service.answer(signed_in())
        own = Tls(ca=authority.ca, certificate=certificate, key=key)
        async with AsyncClient(service.address, tls=own) as client:
            await client.sign_in("p@example.org", "secret")
        async with AsyncClient(service.address, tls=Tls(ca=authority.ca), retry=ONCE) as client:
            with pytest.raises(errors.Unavailable):
                await client.sign_in("p@example.org", "secret")
        assert len(service.asked) == 1


@pytest.mark.parametrize(
    "address", ["pharmacy.example.org:443", "10.0.0.7:50051", "[2001:db8::1]:50051", "192.0.2.1:1"]
)
def test_what_leaves_the_machine_is_secured(address: str) -> None:
    assert not _channel.stays_here(address)


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "[::1]:1", "unix:/tmp/medconnect.sock"])
def test_what_stays_may_be_plain(address: str) -> None:
    assert _channel.stays_here(address)


async def test_a_plain_server_elsewhere_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, "stays_here", lambda _: False)
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with AsyncClient(f"127.0.0.1:{port}", retry=ONCE) as client:
            with pytest.raises(errors.Unavailable):
                await client.sign_in("p@example.org", "secret")
    assert heard[0].startswith(b"\x16\x03"), "a TLS handshake, not a request"
