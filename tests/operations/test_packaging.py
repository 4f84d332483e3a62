"""The files that package the service hold their promises: no root, no secrets, only settings that exist."""

import re
from fnmatch import fnmatch
from typing import Final

from docs.reference.paths import ROOT
from server.config.settings import Settings
from server.config.values import SECRETS

SETTINGS: Final = frozenset(name.upper() for name in Settings.model_fields)
FILES: Final = frozenset(f"{name}_FILE" for name in SECRETS)
"""The variables that name the file of a secret."""
OTHERS: Final = frozenset({"PATH", "PYTHONDONTWRITEBYTECODE"})


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
