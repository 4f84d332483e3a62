"""Finds wording that docs/contributing/style.md replaces, in every text of the project."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = (".github", "server", "migrations", "protos", "clients", "tests", "benchmarks", "docs")
COPIED: Final = frozenset({"vendor", "google", "buf", "mermaid", "node_modules", "out", "__pycache__"})
"""Folders of third-party files."""
EXEMPT: Final = frozenset(
    {
        "tests/architecture/language.py",
        "tests/architecture/test_language.py",
        "docs/contributing/style.md",
    }
)
"""The files that have to spell the words they ban."""
GENERATED: Final = "<!-- Written by"
"""How a page begins whose words come from the code."""
LONGEST_TEST_NAME: Final = 60
LONGEST_MARKDOWN_LINE: Final = 120
FEWEST_DOCSTRING_WORDS: Final = 3

WORDS: Final = {
    "he, his, him": r"he|his|him|himself",
    "somebody, nobody, anybody": r"somebody|nobody|anybody",
    "email": r"e-mails?|e-mailed|mails?|mailed|mailing",
    "whence, whom": r"whence|whom",
    "anew": r"anew",
    "sought": r"sought",
    "shall": r"shall",
    "expire": r"lapses?|lapsed",
    "as long as, that many": r"so many|so long",
}
"""Name of a rule → the words it bans, as a regular expression over whole words."""
BANNED: Final = {name: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE) for name, words in WORDS.items()}
KEPT: Final = re.compile(r"\bmail (?:servers?|systems?|clients?|programs?|transfer)\b|\bMAIL FROM:", re.IGNORECASE)
"""Standard terms that contain a banned word."""
FRAGMENT: Final = re.compile(r"(?:What|Who|Whom|Whose|Which|Whether|Where|Answers|Whatever)\b")
CODE: Final = re.compile(r"``?[^`]+``?|https?://\S+|\{\{.*?\}\}|\{%.*?%\}|</?\w[^<>]*>|\$?\{[^{}]*\}")
"""Parts of a line of prose that are code: `quoted`, links, template expressions, tags."""
JS_PROSE: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/|`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)
PROTO_PROSE: Final = re.compile(r"//[^\n]*|\"(?:\\.|[^\"\\\n])*\"")
LUA_PROSE: Final = re.compile(r"--[^\n]*|\"(?:\\.|[^\"\\\n])*\"")
HASH_PROSE: Final = re.compile(r"#[^\n]*")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Offence:
    """A place that breaks a rule of style."""

    path: str
    line: int
    rule: str
    text: str


def offences(path: str, source: str) -> Iterator[Offence]:
    """Yields every breach in one file; `path` is relative to the repository and its suffix selects the reader."""
    for line, text in prose(path, source):
        plain = KEPT.sub("", CODE.sub("", text))
        for rule, pattern in BANNED.items():
            for _ in pattern.findall(plain):
                yield Offence(path, line, rule, text.strip())
    if path.endswith(".py"):
        yield from _python_offences(path, source)
    if path.endswith(".md"):
        for line, text in enumerate(source.splitlines(), 1):
            if len(text) > LONGEST_MARKDOWN_LINE and not text.startswith("|"):
                yield Offence(path, line, "line length", text)


def _python_offences(path: str, source: str) -> Iterator[Offence]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstring_offences(path, node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_long_test_name(node.name):
            yield Offence(path, node.lineno, "test name length", node.name)


def _docstring_offences(path: str, node: Documented) -> Iterator[Offence]:
    first = (ast.get_docstring(node) or "").split("\n\n")[0]
    line = node.body[0].lineno if node.body else 1
    if FRAGMENT.match(first):
        yield Offence(path, line, "docstring fragment", first)
    if first and len(first.split()) < FEWEST_DOCSTRING_WORDS:
        yield Offence(path, line, "docstring of two words", first)


def _is_long_test_name(name: str) -> bool:
    return name.startswith("test_") and len(name) > LONGEST_TEST_NAME


def prose(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Yields the lines of a file that people read, with their numbers: no code, no identifiers."""
    suffix = PurePosixPath(path).suffix
    if suffix == ".py":
        yield from _python_prose(source)
    elif suffix in (".md", ".txt", ".html"):
        yield from _document_prose(source)
    else:
        readers = {".js": JS_PROSE, ".css": JS_PROSE, ".proto": PROTO_PROSE, ".lua": LUA_PROSE}
        yield from _matched(readers.get(suffix, HASH_PROSE), source)


def _python_prose(source: str) -> Iterator[tuple[int, str]]:
    spoken = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in spoken and (token.type == tokenize.COMMENT or " " in token.string.strip()):
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def _document_prose(source: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def _matched(pattern: re.Pattern[str], source: str) -> Iterator[tuple[int, str]]:
    for found in pattern.finditer(source):
        start = source.count("\n", 0, found.start()) + 1
        for offset, line in enumerate(found[0].strip("`").splitlines()):
            if " " in line.strip():
                yield start + offset, line


def written_files() -> Iterator[tuple[str, str]]:
    """Yields path and source of every file with prose that the team wrote."""
    top = [path for path in ROOT.iterdir() if path.suffix == ".md" or path.name in ("Makefile", "env.example")]
    top += [ROOT / "envoy.yaml", ROOT / "pyproject.toml", ROOT / "conftest.py"]
    suffixes = (".py", ".proto", ".js", ".css", ".lua", ".md", ".html", ".txt", ".yaml", ".yml")
    below = [
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes and path.is_file()
    ]
    for path in sorted({*top, *below}):
        relative = path.relative_to(ROOT)
        copied = COPIED & set(relative.parts) or path.name.startswith("swagger-ui") or "LICENSE" in path.name
        if not copied and str(PurePosixPath(relative)) not in EXEMPT:
            source = path.read_text()
            if not source.startswith(GENERATED):
                yield str(PurePosixPath(relative)), source
