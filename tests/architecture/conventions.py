"""Conventions of the house as checks: each finds offences in one file's source and states the alternative."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LONGEST_FILE: Final = 350
COPIED: Final = frozenset({"vendor", "google", "buf"})
"""Folders of third-party files."""
HAND_WRITTEN: Final = ("server", "migrations", "protos", "clients", "tests", "benchmarks")


@dataclass(frozen=True)
class Convention:
    """A rule, the only files of the server that it exempts, and the test for an offence."""

    name: str
    explanation: str
    place: frozenset[str]
    offends: Callable[[ast.AST], bool]

    def offences(self, path: str, source: str) -> list[str]:
        """Returns the places in which a file breaks the rule: `path:line: explanation`."""
        if path in self.place:
            return []
        lines = sorted({node.lineno for node in _nodes(source) if self.offends(node)})
        return [f"{path}:{line}: {self.explanation}" for line in lines]


@cache
def _nodes(source: str) -> tuple[ast.expr | ast.stmt | ast.keyword, ...]:
    """Returns the nodes of a source that can break a rule, parsed once for all rules."""
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr | ast.stmt | ast.keyword))


def _calls_method(*names: str) -> Callable[[ast.AST], bool]:
    return lambda node: isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names


def _names(*dotted: str) -> Callable[[ast.AST], bool]:
    """Returns whether a node names one of these, as `module.name` or by importing it from there."""

    def offends(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return ast.unparse(node) in dotted
        if isinstance(node, ast.ImportFrom):
            return any(f"{node.module}.{alias.name}" in dotted for alias in node.names)
        return False

    return offends


def _imports(module: str) -> Callable[[ast.AST], bool]:
    def offends(node: ast.AST) -> bool:
        if isinstance(node, ast.Import):
            return any(alias.name == module for alias in node.names)
        return isinstance(node, ast.ImportFrom) and node.module == module

    return offends


def _runs_data(node: ast.AST) -> bool:
    """Detects a call that executes its argument, or an import that creates objects of any class from bytes."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in _RUNNING
    return any(_imports(module)(node) for module in _UNPICKLING)


_RUNNING: Final = (
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
)
_UNPICKLING: Final = ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle")


def _trusts_anybody(node: ast.AST) -> bool:
    """Detects a connection whose peer, or a token whose signature, is not verified."""
    if isinstance(node, ast.keyword):
        return node.arg in _LOOKING and isinstance(node.value, ast.Constant) and node.value.value is False
    if isinstance(node, ast.Assign):
        targets = [target.attr for target in node.targets if isinstance(target, ast.Attribute)]
        return "check_hostname" in targets and ast.unparse(node.value) == "False"
    if isinstance(node, ast.Dict):
        return any(
            isinstance(key, ast.Constant) and key.value in _LOOKING and ast.unparse(value) == "False"
            for key, value in zip(node.keys, node.values, strict=True)
        )
    return isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).rpartition(".")[2] in _TRUSTING


_LOOKING: Final = ("verify", "verify_signature", "verify_exp", "verify_aud", "check_hostname", "validate_certs", "ssl")
_TRUSTING: Final = ("CERT_NONE", "_create_unverified_context", "AutoAddPolicy")


def _is_glued_sql(node: ast.AST) -> bool:
    """Detects `text(…)` or `exec_driver_sql(…)` of a text that is built from values."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("text", "exec_driver_sql") and any(_is_glued(argument) for argument in node.args)


def _is_glued(text: ast.AST) -> bool:
    if isinstance(text, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) and not _is_constant(part.value) for part in text.values)
    if isinstance(text, ast.BinOp):
        return isinstance(text.op, ast.Mod | ast.Add)
    return _calls_method("format", "format_map", "join", "replace")(text)


def _is_constant(value: ast.AST) -> bool:
    return isinstance(value, ast.Name) and value.id.isupper()


CONVENTIONS: Final = (
    Convention(
        "abort",
        "raise a declared error (server/errors); error_mapping.py is the one place that aborts a call",
        frozenset({"api/interceptors/error_mapping.py", "mailer/smtp_dialog.py"}),  # the latter aborts a TCP connection
        _calls_method("abort", "abort_with_status"),
    ),
    Convention(
        "commit",
        "open a block of the UnitOfWork; leaving it commits",
        frozenset(),
        _calls_method("commit"),
    ),
    Convention(
        "environment",
        "declare a setting in config/settings.py and let the runtime pass it on",
        frozenset({"config/settings.py", "__init__.py"}),  # the package's own, which silences gRPC before it is loaded
        _names("os.environ", "os.getenv", "os.environb"),
    ),
    Convention(
        "time",
        "take a Clock (clock.py), or the database's now()",
        frozenset({"clock.py", "db/identifiers.py"}),
        _names("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"),
    ),
    Convention(
        "randomness",
        "use `secrets`: an attacker must not guess any value that the server draws",
        frozenset(),
        _imports("random"),
    ),
    Convention(
        "lost cancellation",
        "use asyncio.timeout or background.set_within: wait_for loses a cancellation that comes with the result",
        frozenset(),
        _names("asyncio.wait_for"),
    ),
    Convention(
        "glued SQL",
        "write the statement as a constant and bind its values",
        frozenset(),
        _is_glued_sql,
    ),
    Convention(
        "data that runs",
        "read data as data (JSON, protobuf): code that executes it or creates chosen objects obeys its author",
        frozenset(),
        _runs_data,
    ),
    Convention(
        "blind trust",
        "let the library verify certificates and signatures; for a test, trust its own authority",
        frozenset(),
        _trusts_anybody,
    ),
)


def server_files() -> Iterator[tuple[str, str]]:
    """Returns path within `server/` and source of every module."""
    folder = ROOT / "server"
    for path in sorted(folder.rglob("*.py")):
        yield str(PurePosixPath(path.relative_to(folder))), path.read_text()


def too_long(path: str, source: str) -> list[str]:
    """Returns an offence if a hand-written file has more lines than the limit."""
    lines = source.count("\n")
    if lines <= LONGEST_FILE:
        return []
    return [f"{path}: {lines} lines, more than {LONGEST_FILE}: find the noun that needs a module of its own"]


def hand_written_files() -> Iterator[tuple[str, str]]:
    """Returns path and source of every module, script, sheet and contract that is neither generated nor third-party."""
    for folder in HAND_WRITTEN:
        for suffix in ("py", "lua", "js", "css", "proto"):
            for path in sorted((ROOT / folder).rglob(f"*.{suffix}")):
                if COPIED & set(path.relative_to(ROOT).parts):
                    continue
                yield str(PurePosixPath(path.relative_to(ROOT))), path.read_text()
