"""Tests that an invalid configuration is reported with the variable's name, never with its value."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from server.config.settings import ConfigurationWrong, read_settings
from server.runtime.validation import check
from tests.fixtures.cells import cells

WRONG_FOR_ITS_PART: Mapping[str, Sequence[object]] = {
    "qr_encryption_key": ["too-short-Canary", "a b:" + "x" * 40, f"k1:{'a' * 32},k1:{'b' * 32}"],
    "rate_limits": [{"nosuch": 5}, {"login": 0}],
    "rate_limit_networks": [
        ["Canary:5"],
        ["10.0.0.0/8"],
        ["10.0.0.1/8:5"],
        ["10.0.0.0/8:0"],
        ["10.0.0.0/8:nan"],
        ["2001:db8::/65:2"],
        ["10.0.0.0/8:50", "2001:db8::/32"],
    ],
    "email_from": [
        *("Canary without an address", "a@canary.example, b@canary.example", "a@b.example\r\nBcc: c@d"),
        *("\t:", " ..@"),
    ],
    "medconnect_home": ["/" + "Canary" * 17],
    "admin_password": ["Canary", "admin@medconnect.local-1"],
}
WRONG_IN_ITSELF: Mapping[str, Sequence[object]] = {
    "grpc_address": ["nonsense", "127.0.0.1:99999", ":50051"],
    "rest_address": ["127.0.0.1:abc"],
    "database_url": ["mysql://user:Canary@host/name"],
    "smtp_port": [0, 99999999],
    "db_port": ["Canary"],
    "admin_email": ["no address", "a@" + "b" * 253],
    "jwt_secret": ["Canary"],
    "hospital_time_zone": ["Mars/Canary", "Canary" * 1000],
}


def table(of: Mapping[str, Sequence[object]]) -> list[tuple[str, object]]:
    return [(name, value) for name, values in of.items() for value in values]


@cells(("name", "value"), table(WRONG_FOR_ITS_PART))
def test_value_that_a_component_rejects_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigurationWrong) as refused:
        check(read_settings(_env_file=None, **{name: value}))
    assert list(refused.value.faults) == [name.upper()]
    assert "Canary" not in repr(refused.value.faults)


@pytest.mark.parametrize(("name", "value"), table(WRONG_IN_ITSELF))
def test_invalid_value_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigurationWrong) as refused:
        read_settings(_env_file=None, **{name: value})
    assert list(refused.value.faults) == [name.upper()]
    assert "Canary" not in repr(refused.value.faults)


def test_all_invalid_values_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationWrong) as refused:
        check(read_settings(_env_file=None, rate_limits={"nosuch": 1}, email_from="nobody"))
    assert set(refused.value.faults) == {"RATE_LIMITS", "EMAIL_FROM"}


def test_several_processes_in_production_need_a_limit_store() -> None:
    production = {
        "medconnect_env": "production",
        "jwt_secret": "a signing secret of 32 bytes or more",
        "qr_encryption_key": "a code secret of 32 bytes or more.",
        "smtp_host": "mail.example.org",
        "frontend_url": "https://medconnect.example.org",
        "cors_origins": ("https://medconnect.example.org",),
    }
    with pytest.raises(ConfigurationWrong) as refused:
        check(read_settings(_env_file=None, server_processes=2, **production))
    assert set(refused.value.faults) == {"RATE_LIMIT_REDIS_URL"}
    check(read_settings(_env_file=None, server_processes=2, rate_limit_redis_url="rediss://limits:6379", **production))
    check(read_settings(_env_file=None, server_processes=2))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"metrics_address": "127.0.0.1:9090"}, set()),
        ({"metrics_address": "[::1]:9090"}, set()),
        ({"metrics_address": "0.0.0.0:9090"}, {"METRICS_ADDRESS"}),
        ({"metrics_address": "192.0.2.1:9090", "metrics_token": "t" * 16}, set()),
        ({"metrics_address": "192.0.2.1:9090", "metrics_token": "t" * 15}, {"METRICS_TOKEN"}),
        ({"metrics_address": "192.0.2.1:9090", "metrics_client_ca": "ca.pem"}, {"METRICS_CLIENT_CA"}),
    ],
)
def test_metrics_for_other_machines_need_protection(given: dict[str, Any], wrong: set[str]) -> None:
    if not wrong:
        check(read_settings(_env_file=None, **given))
        return
    with pytest.raises(ConfigurationWrong) as refused:
        check(read_settings(_env_file=None, **given))
    assert set(refused.value.faults) == wrong


def test_the_defaults_are_right() -> None:
    check(read_settings(_env_file=None))


def test_a_secrets_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_FILE", "/nowhere/Canary")
    with pytest.raises(ConfigurationWrong) as refused:
        read_settings(_env_file=None)
    assert refused.value.faults == {"JWT_SECRET_FILE": "cannot be read"}


def test_the_command_ends_with_78_and_a_line_per_variable(tmp_path: Path) -> None:
    environment = {**os.environ, "MEDCONNECT_HOME": str(tmp_path), "REST_ADDRESS": "nonsense", "LOG_LEVEL": "loud"}
    ended = subprocess.run(
        [sys.executable, "-m", "server", "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 78
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["REST_ADDRESS", "LOG_LEVEL"]
    assert list(tmp_path.iterdir()) == []
