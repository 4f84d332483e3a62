"""Production refuses weak configurations, naming every variable at once without values, and starts with a sound one."""

import asyncio
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import auth_service_pb2_grpc

from server.auth.tokens import key_file
from server.auth.tokens.keys import KeyRing
from server.cli import commands
from server.clock import Clock
from server.config.settings import ConfigurationWrong, Settings
from server.db.logins import DatabaseUrls
from server.runtime import validation
from tests.fixtures.certificates import Authority
from tests.fixtures.pace import within
from tests.fixtures.proofs import control

EXIT_CONFIG = 78
SECONDS = 5.0
ROOT = Path(commands.__file__).parents[2]
JWT = "pZ8Q0vYk3sT6wB9eR2uX5aD7gJ1mN4hLcVfKtOiUyGE"
QR = "Lk2Jh9Gf4Ds7Aq1Wz6Xe3Cr8Vt5By0NuMiOpTgRbEwQ"
OTHER = "b7Kd2Fq9Zx4Mv1Ls8Hw3Tn6Yc5Rj0GpEuAiOoBtSfXe"
DEFAULTS = (
    "your_super_secret_jwt_key_here_and_more",
    "default-key-change-in-production-32-bytes",
    "your_qr_encryption_key_here_32_bytes_long",
    "changeme-changeme-changeme-changeme",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yields certificates, secrets and rings to refer to as `{files}/…`."""
    folder, now = tmp_path_factory.mktemp("production"), Clock().now()
    authority = Authority()
    (folder / "ca.pem").write_bytes(authority.root)
    authority.pair("server").save(folder)
    authority.pair("another").save(folder, "another")
    for name, mode in (("open", 0o644), ("mine", 0o600)):
        (folder / name).write_text(OTHER)
        (folder / name).chmod(mode)
        key_file.create(folder / f"{name}.json", KeyRing.new(OTHER, now - timedelta(minutes=1)))
        (folder / f"{name}.json").chmod(mode)
    key_file.create(folder / "weak.json", KeyRing.new(DEFAULTS[0], now))
    (folder / "open.key").write_bytes((folder / "server.key").read_bytes())
    (folder / "open.key").chmod(0o604)
    (folder / "no.pem").write_text("no certificate")
    return folder


def good(files: Path) -> dict[str, str]:
    return {
        "MEDCONNECT_ENV": "production",
        "DATABASE_URL": "postgresql://medconnect:jH5kPq2w@db.example.org/x?sslmode=verify-full",
        "SEALER_DATABASE_URL": "postgresql://sealer:kP9wQz4t@db.example.org/x?sslmode=verify-full",
        "JWT_SECRET": JWT,
        "QR_ENCRYPTION_KEY": QR,
        "GRPC_ADDRESS": "0.0.0.0:50051",
        "REST_ADDRESS": "0.0.0.0:3000",
        "TLS_CERT": f"{files}/server.pem",
        "TLS_KEY": f"{files}/server.key",
        "SMTP_HOST": "mail.example.org",
        "FRONTEND_URL": "https://clinic.example.org",
        "CORS_ORIGINS": "https://clinic.example.org",
    }


@dataclass(frozen=True)
class Bad:
    """Changes to a good configuration (None removes), and the variables that must be named for them."""

    changes: Mapping[str, str | None]
    named: tuple[str, ...] = ()
    """The variables to be named; if empty, those that are changed."""
    public: bool = False
    """Whether the text may contain the new values."""


PLAIN = {"TLS_CERT": None, "TLS_KEY": None}
BAD = {
    "no JWT secret": Bad({"JWT_SECRET": None}),
    "no QR key": Bad({"QR_ENCRYPTION_KEY": None}),
    "no mail server": Bad({"SMTP_HOST": None}),
    **{f"default JWT secret {number}": Bad({"JWT_SECRET": value}) for number, value in enumerate(DEFAULTS)},
    **{f"default QR key {number}": Bad({"QR_ENCRYPTION_KEY": value}) for number, value in enumerate(DEFAULTS)},
    "short JWT secret": Bad({"JWT_SECRET": JWT[:31]}),
    "short QR key": Bad({"QR_ENCRYPTION_KEY": QR[:31]}),
    "one short QR key of a ring": Bad({"QR_ENCRYPTION_KEY": f"k2:{QR},k1:{OTHER[:20]}"}),
    "JWT secret of few different bytes": Bad({"JWT_SECRET": "abcdefghijklmno" * 4}),
    "JWT secret of few different hexadecimal bytes": Bad({"JWT_SECRET": "0123456789abcdef" * 4}),
    "QR key of few different bytes": Bad({"QR_ENCRYPTION_KEY": f"k2:{QR},k1:{'ab' * 20}"}),
    "one secret for both": Bad({"QR_ENCRYPTION_KEY": JWT}),
    "one secret for both, in a ring": Bad({"QR_ENCRYPTION_KEY": f"k2:{QR},k1:{JWT}"}),
    "one secret twice in a ring": Bad({"QR_ENCRYPTION_KEY": f"k2:{QR},k1:{QR}"}),
    "JWT secret and key file": Bad({"JWT_KEYS_FILE": "{files}/mine.json"}),
    "key file that is not there": Bad({"JWT_SECRET": None, "JWT_KEYS_FILE": "{files}/none"}, ("JWT_KEYS_FILE",)),
    "key file of everybody": Bad({"JWT_SECRET": None, "JWT_KEYS_FILE": "{files}/open.json"}, ("JWT_KEYS_FILE",)),
    "key file with a default root": Bad({"JWT_SECRET": None, "JWT_KEYS_FILE": "{files}/weak.json"}, ("JWT_KEYS_FILE",)),
    "secret file of everybody": Bad({"JWT_SECRET": None, "JWT_SECRET_FILE": "{files}/open"}, ("JWT_SECRET_FILE",)),
    "secret file that is not there": Bad({"JWT_SECRET": None, "JWT_SECRET_FILE": "{files}/none"}, ("JWT_SECRET_FILE",)),
    "plain gRPC and REST for everybody": Bad(PLAIN, ("GRPC_ADDRESS", "REST_ADDRESS")),
    "plain gRPC for the house": Bad(
        {**PLAIN, "GRPC_ADDRESS": "10.0.0.7:50051", "REST_ADDRESS": "127.0.0.1:3000"}, ("GRPC_ADDRESS",)
    ),
    "plain REST for the house": Bad(
        {**PLAIN, "GRPC_ADDRESS": "[::1]:50051", "REST_ADDRESS": "[::]:3000"}, ("REST_ADDRESS",)
    ),
    "plain gRPC past the edge for the house": Bad(
        {**PLAIN, "GRPC_ADDRESS": "[::1]:50051", "REST_ADDRESS": "[::1]:3000", "GRPC_DIRECT_ADDRESS": "10.0.0.7:50052"},
        ("GRPC_DIRECT_ADDRESS",),
    ),
    "plain metrics for the house": Bad(
        {
            **PLAIN,
            "GRPC_ADDRESS": "[::1]:50051",
            "REST_ADDRESS": "[::1]:3000",
            "METRICS_ADDRESS": "10.0.0.7:9090",
            "METRICS_TOKEN": "u7Kq2mPzR4tVw8Yb",
        },
        ("METRICS_ADDRESS",),
    ),
    "certificate without key": Bad({"TLS_KEY": None}, ("TLS_KEY", "GRPC_ADDRESS", "REST_ADDRESS")),
    "key of another certificate": Bad({"TLS_KEY": "{files}/another.key"}),
    "key of everybody": Bad({"TLS_KEY": "{files}/open.key"}),
    "certificate that is none": Bad({"TLS_CERT": "{files}/no.pem"}, ("TLS_KEY",)),
    "roots that are none": Bad({"TLS_CLIENT_CA": "{files}/no.pem"}),
    "plain SMTP": Bad({"SMTP_SECURITY": "none"}, public=True),
    "debug log": Bad({"LOG_LEVEL": "debug"}, public=True),
    "relaxed limits": Bad({"RATE_LIMIT_FACTOR": "1000"}),
    "addresses without confirmation": Bad({"REGISTRATION_CONFIRM_EMAIL": "false"}, public=True),
    "plain database elsewhere": Bad({"DATABASE_URL": "postgresql://me:x7Kq2mPz@db.example.org/x"}),
    "unverified database elsewhere": Bad({"DATABASE_URL": "postgresql://me:x7Kq2mPz@10.0.0.5/x?sslmode=require"}),
    "plain owner's database elsewhere": Bad({"MIGRATION_DATABASE_URL": "postgresql://me:x7Kq2mPz@db.example.org/x"}),
    "plain database elsewhere beside one here": Bad({"DATABASE_URL": "postgresql://me:x7Kq2mPz@[::1]:5432,10.0.0.5/x"}),
    "no account for the sealer": Bad({"SEALER_DATABASE_URL": None}),
    "plain sealer's database elsewhere": Bad({"SEALER_DATABASE_URL": "postgresql://me:x7Kq2mPz@db.example.org/x"}),
    "former secret that is the present one": Bad({"JWT_FORMER_SECRET": JWT}),
    "short former secret": Bad({"JWT_FORMER_SECRET": OTHER[:31]}),
    "default former secret": Bad({"JWT_FORMER_SECRET": DEFAULTS[0]}),
    "former secret beside a key file": Bad(
        {"JWT_SECRET": None, "JWT_KEYS_FILE": "{files}/mine.json", "JWT_FORMER_SECRET": OTHER[::-1]},
        ("JWT_FORMER_SECRET",),
    ),
    "nowhere to keep heads": Bad({"AUDIT_HEADS": "heads.log"}),
    "plain database in parts": Bad({"DATABASE_URL": None, "DB_HOST": "db.example.org"}, ("DB_HOST",)),
    "default database password": Bad({"DATABASE_URL": "postgresql://postgres:postgres@127.0.0.1/x"}),
    "example's database password": Bad({"DATABASE_URL": "postgresql://user:password@127.0.0.1:5432/medconnect"}),
    "plain Redis elsewhere": Bad({"RATE_LIMIT_REDIS_URL": "redis://:x7Kq2mPz@10.0.0.6/0"}),
    "unverified Redis elsewhere": Bad({"RATE_LIMIT_REDIS_URL": "rediss://:x7Kq2mPz@10.0.0.6/0?ssl_cert_reqs=none"}),
    "Redis that may have any name": Bad({"RATE_LIMIT_REDIS_URL": "rediss://10.0.0.6/0?ssl_check_hostname=false"}),
    "default Redis password": Bad({"RATE_LIMIT_REDIS_URL": "rediss://:changeme@10.0.0.6/0"}),
    "no URL of a Redis": Bad({"RATE_LIMIT_REDIS_URL": "redis://[::1/0"}),
    "several processes without a Redis": Bad({"SERVER_PROCESSES": "2"}, ("RATE_LIMIT_REDIS_URL",)),
    "no port of a database": Bad({"DATABASE_URL": "postgresql://me:x7Kq2mPz@127.0.0.1:post/x"}),
    "default email password": Bad({"SMTP_PASS": "changeme"}),
    "plain front end": Bad({"FRONTEND_URL": "http://clinic.example.org"}),
    "no front end": Bad({"FRONTEND_URL": None}),
    "plain origin": Bad({"CORS_ORIGINS": "https://clinic.example.org,http://clinic.example.org"}),
    "any origin": Bad({"CORS_ORIGINS": "*"}, public=True),
    "any origin of a domain": Bad({"CORS_ORIGINS": "https://*.example.org"}),
    "guessable admin": Bad({"ADMIN_PASSWORD": "password123"}),
    "wrong in itself and in its part and unsafe": Bad(
        {"DB_POOL_SIZE": "many", "RATE_LIMITS": "nosuch=5", "LOG_LEVEL": "debug", "QR_ENCRYPTION_KEY": None},
        public=True,
    ),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns an empty folder, and removes every variable of this machine."""
    names = {name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().removesuffix("_FILE") in names:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []  # a refused start leaves no files


def told(output: str) -> set[str]:
    return {line.partition(":")[0] for line in output.splitlines()}


@control("S78")
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_setting_is_refused_by_name_without_value(
    home: Path, files: Path, bad: Bad, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {**good(files), "MEDCONNECT_HOME": str(home), **bad.changes}
    for name, value in given.items():
        if value is not None:
            monkeypatch.setenv(name, value.replace("{files}", str(files)))
    monkeypatch.setattr("sys.argv", ["medconnect", "serve"])
    began = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        commands.main()
    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (EXIT_CONFIG, "")
    assert time.monotonic() - began < within(SECONDS)
    assert told(output.err) == set(bad.named or bad.changes)
    secret = [] if bad.public else [value for value in bad.changes.values() if value]
    assert [value for value in (*secret, JWT, QR, OTHER) if value in output.err] == []


@control("S78")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o602])
def test_secrets_in_an_env_file_of_everybody_are_refused(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    given = {**good(files), "SMTP_PASS": OTHER}
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    (tmp_path / ".env").chmod(mode)
    if not mode & 0o007:
        assert validation.read().production
        return
    with pytest.raises(ConfigurationWrong) as refused:
        validation.read()
    assert refused.value.faults.keys() == {
        "DATABASE_URL",
        "SEALER_DATABASE_URL",
        "JWT_SECRET",
        "QR_ENCRYPTION_KEY",
        "SMTP_PASS",
    }


@control("S78")
def test_command_ends_in_time_and_names_all_errors(home: Path) -> None:
    wrong = {
        "GRPC_ADDRESS": "0.0.0.0:50051",
        "LOG_LEVEL": "loud",
        "ADMIN_PASSWORD": "Canary",
        "JWT_SECRET": "too-short-Canary",
        "DATABASE_URL": "postgresql://me:Canary@db.example.org/x",
    }
    missing = {"SEALER_DATABASE_URL", "QR_ENCRYPTION_KEY", "SMTP_HOST", "FRONTEND_URL", "CORS_ORIGINS"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-m", "server", "up"],
        cwd=ROOT,
        env={**os.environ, "MEDCONNECT_ENV": "production", "MEDCONNECT_HOME": str(home), **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (ended.returncode, ended.stdout) == (EXIT_CONFIG, "")
    assert told(ended.stderr) == wrong.keys() | missing
    assert "Canary" not in ended.stderr
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # however busy this machine is
    assert used < within(SECONDS)


@control("S78")
async def test_a_good_configuration_starts(database_url: str, files: Path, tmp_path: Path) -> None:
    given = {**good(files), "JWT_SECRET": None, "JWT_KEYS_FILE": f"{files}/mine.json"}
    urls = DatabaseUrls.embedded(database_url)
    given |= {"DATABASE_URL": urls.server, "SEALER_DATABASE_URL": urls.sealer}
    given |= {"GRPC_ADDRESS": "127.0.0.1:0", "MEDCONNECT_HOME": str(tmp_path)}
    given |= {"QR_ENCRYPTION_KEY": f"k2:{QR},k1:{JWT}", "ADMIN_PASSWORD": "a-long-phrase-of-ours-7"}
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "serve"),
        cwd=ROOT,
        env={**os.environ, **{name: value for name, value in given.items() if value is not None}},
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096)),
    )
    try:
        assert server.stdout is not None
        async with asyncio.timeout(60):
            while not (port := re.search(rb"gRPC on port (\d+)", line := await server.stdout.readline())):
                assert line
        credentials = grpc.ssl_channel_credentials((files / "ca.pem").read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{int(port[1])}", credentials) as channel:
            keys = await auth_service_pb2_grpc.AuthServiceStub(channel).GetKeySet(auth.GetKeySetRequest())
        assert len(keys.keys) == 2
        assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (4096, 4096)  # connections use file descriptors
    finally:
        server.send_signal(signal.SIGTERM)
        await server.communicate()
    assert server.returncode == 0
