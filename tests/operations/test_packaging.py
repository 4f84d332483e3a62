"""The files that package the service hold their promises: no root, no secrets, only settings that exist."""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # comes with mkdocs, without types

from docs.reference.paths import ROOT
from server.cli.commands import EXIT_CONFIG
from server.config.settings import Settings
from server.config.values import SECRETS

SETTINGS: Final = frozenset(name.upper() for name in Settings.model_fields)
FILES: Final = frozenset(f"{name}_FILE" for name in SECRETS)
"""The variables that name the file of a secret."""
OTHERS: Final = frozenset({"PATH", "PYTHONDONTWRITEBYTECODE"})
UNITS: Final = ROOT / "deploy/systemd"
SERVICES: Final = ("medconnect", "medconnect-backup")
MOST_EXPOSED: Final = "20"
"""The highest exposure of a unit, in tenths, as `systemd-analyze security` rates it."""


def instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "deploy/Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def last_stage() -> list[tuple[str, str]]:
    """Returns the instructions of the stage that is published."""
    found = instructions()
    beginning = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[beginning:]


def test_image_runs_as_a_fixed_account_that_is_not_root() -> None:
    [user] = [argument for name, argument in last_stage() if name == "USER"]
    uid, _, gid = user.partition(":")
    assert int(uid) >= 10_000 <= int(gid)
    assert [name for name, _ in last_stage()].index("USER") > [name for name, _ in last_stage()].index("COPY")


def test_image_sets_existing_settings_and_no_secret() -> None:
    assignments = [argument for name, argument in instructions() if name in ("ENV", "ARG")]
    names = set(re.findall(r"(\w+)=", " ".join(assignments))) - {"BASE"}
    assert names <= (SETTINGS | OTHERS).difference(SECRETS)
    assert "MEDCONNECT_ENV=production" in " ".join(assignments), "what is unsafe must be asked for"


def test_image_keeps_its_state_in_its_only_volume() -> None:
    of_stage = dict(last_stage())
    assert f"MEDCONNECT_HOME={of_stage['VOLUME']} " in of_stage["ENV"]
    assert 'CMD ["medconnect", "health"]' in of_stage["HEALTHCHECK"]
    assert (of_stage["ENTRYPOINT"], of_stage["CMD"]) == ('["medconnect"]', '["up"]')


def test_image_is_built_of_what_dockerignore_allows() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*", "everything is left out unless it is named"
    allowed = {line.removeprefix("!") for line in lines[1:]}
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == allowed
    assert not [path for path in (".env", "var/secrets/x", "dist/.env") if any(fnmatch(path, each) for each in allowed)]
    assert [rest for name, rest in last_stage() if name == "COPY"] == ["--from=build /opt/medconnect /opt/medconnect"]


def test_image_installs_by_hash_or_from_its_own_wheels() -> None:
    commands = [command for name, rest in instructions() if name == "RUN" for command in rest.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    assert len(installs) == 2
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def compose() -> dict[str, Any]:
    """Returns the content of the compose file."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    return content


@pytest.mark.parametrize("name", ["medconnect", "migrate"])
def test_compose_runs_the_service_without_root_or_writable_root(name: str) -> None:
    service = compose()["services"][name]
    assert service["user"] == dict(last_stage())["USER"]
    assert service["read_only"] is True
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert f"state:{dict(last_stage())['VOLUME']}" in service["volumes"]


def test_compose_gives_secrets_as_files_that_are_mounted() -> None:
    content = compose()
    for name, service in content["services"].items():
        environment = {key: value for key, value in service["environment"].items() if "POSTGRES" not in key}
        assert set(environment) <= (SETTINGS | FILES).difference(SECRETS), name
        files = {value for value in service["environment"].values() if value.startswith("/run/secrets/")}
        assert files == {f"/run/secrets/{secret}" for secret in service["secrets"]}, name
    used = [secret for service in content["services"].values() for secret in service["secrets"]]
    assert content["secrets"] == {name: {"file": f"secrets/{name}"} for name in used}
    owners = {name for name, service in content["services"].items() if "migration_database_url" in service["secrets"]}
    assert owners == {"migrate"}, "only migrations get the owner's account"


def test_compose_restarts_what_serves_and_checks_its_health() -> None:
    services = compose()["services"]
    assert {name for name, each in services.items() if each.get("restart") == "unless-stopped"} == {
        "postgres",
        "medconnect",
    }
    assert "healthcheck" in services["postgres"]
    assert services["medconnect"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert (services["medconnect"]["stop_grace_period"], services["medconnect"]["ulimits"]) == (
        "40s",
        {"nofile": 65536},
    )
    assert services["postgres"]["network_mode"] == "none"


def options(unit: str) -> dict[str, str]:
    """Returns the options of a unit's sections; those that are given twice with both values."""
    found: dict[str, str] = {}
    for line in (UNITS / unit).read_text().splitlines():
        if not line.startswith(("#", "[")) and line:
            name, _, value = line.partition("=")
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def test_units_run_without_root_and_hold_no_secret() -> None:
    service, backup = (options(f"{name}.service") for name in SERVICES)
    assert (service["User"], service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("medconnect", "strict", "")
    for unit in (service, backup):
        assert set(re.findall(r"(\w+)=", unit["Environment"])) <= (SETTINGS | FILES).difference(SECRETS)
    hardening = [
        (UNITS / f"{name}.service").read_text().partition("\nUser=")[2].partition("\n\n")[0].strip()
        for name in SERVICES
    ]
    assert len(hardening[0].splitlines()) > 20
    assert hardening[0] == hardening[1]
    # Both units have one account: the end of a backup would remove the shared memory of the database that runs.
    assert "RemoveIPC" not in service


def test_unit_restarts_the_service_unless_it_is_misconfigured() -> None:
    service = options("medconnect.service")
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", str(EXIT_CONFIG))
    assert (service["KillMode"], service["TimeoutStopSec"], service["LimitNOFILE"]) == ("mixed", "40s", "65536")


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)
def test_units_are_valid_and_little_exposed(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():  # the program is not installed here
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/medconnect/bin/medconnect", "/bin/true"))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    services = [unit for unit in units if unit.endswith(".service")]
    for command in (["verify", *units], ["security", "--offline=yes", f"--threshold={MOST_EXPOSED}", *services]):
        told = subprocess.run(["systemd-analyze", *command], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr


def test_installing_names_settings_that_exist_and_no_secret() -> None:
    page = (ROOT / "docs/operations/install.md").read_text()
    [written] = re.findall(r"```ini\n(.*?)```", page, flags=re.DOTALL)
    names = set(re.findall(r"^ *(\w+)=", written, flags=re.MULTILINE))
    assert names <= (SETTINGS | FILES).difference(SECRETS)
    assert {"JWT_SECRET_FILE", "TLS_KEY", "SMTP_HOST"} <= names


def test_installing_makes_every_secret_of_the_compose_file() -> None:
    page = (ROOT / "docs/operations/install.md").read_text().partition("## With containers")[2]
    missing = [name for name in compose()["secrets"] if f"secrets/{name}" not in page and f"`{name}`" not in page]
    assert missing == []
