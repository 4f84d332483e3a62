"""Commit messages since the rule began: `area: Imperative sentence.`, a body that says why, no merges."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BEGINNING: Final = "bfcb828"
"""The last commit before the rule."""
LONGEST_SUBJECT: Final = 72
SUBJECT: Final = re.compile(r"[a-z][a-z0-9_./, -]{1,29}: [A-Z].+[^.]\.")


@dataclass(frozen=True)
class Commit:
    """A commit's message and how many parents it has."""

    name: str
    parents: int
    subject: str
    body: str

    def faults(self) -> Iterator[str]:
        """Yields the faults of a commit message, in words."""
        if self.parents > 1:
            yield "rebase instead of merging"
        if len(self.subject) > LONGEST_SUBJECT:
            yield f"the subject has {len(self.subject)} characters, more than {LONGEST_SUBJECT}"
        if not SUBJECT.fullmatch(self.subject):
            yield "the subject is not `area: Imperative sentence.`"
        if not self.body.strip():
            yield "the body does not say why"


def commits() -> list[Commit]:
    """Returns the commits since the rule began; none outside a repository that holds its beginning."""
    command = ["git", "log", "-z", "--format=%h%n%p%n%s%n%b", f"{BEGINNING}..HEAD"]
    log = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if log.returncode != 0:
        pytest.skip("this is not a clone with the project's history")
    entries = [entry.split("\n", 3) for entry in log.stdout.split("\0") if entry]
    return [Commit(name, len(parents.split()), subject, body) for name, parents, subject, body in entries]


def test_every_commit_message_says_what_and_why() -> None:
    wrong = [f"{commit.name} {commit.subject!r}: {fault}" for commit in commits() for fault in commit.faults()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "commit",
    [
        Commit("1", 2, "edge: Bound paths.", "Why."),
        Commit("1", 1, "edge: " + "B" * 66 + ".", "Why."),
        Commit("1", 1, "Keeps other clients out", "Why."),
        Commit("1", 1, "edge: bound paths.", "Why."),
        Commit("1", 1, "edge: Bound paths", "Why."),
        Commit("1", 1, "edge: Bound paths.", " \n"),
    ],
    ids=["merge", "long subject", "no area", "lower case", "no full stop", "no body"],
)
def test_a_poor_commit_message_is_found(commit: Commit) -> None:
    assert len(list(commit.faults())) == 1


def test_a_good_commit_message_is_accepted() -> None:
    assert not list(Commit("1", 1, "edge, server: Bound paths to 4 KiB.", "Long ones kept Lua busy.").faults())
