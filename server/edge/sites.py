"""The files that Envoy serves by itself: their paths and their content security policies.

The folders are read at the start, so a new file in a site's folder needs no registration.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
# A wheel contains all of them next to this module; in a checkout they are in clients and generated.
PAGE: Final = next(path for path in (HERE / "web", ROOT / "clients/web") if path.exists())
API_DOCS: Final = next(path for path in (HERE / "api-docs", ROOT / "clients/api-docs") if path.exists())
OPENAPI: Final = next(folder / "generated/openapi.json" for folder in (HERE, ROOT) if (folder / "generated").exists())
INDEX: Final = "index.html"
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Content types by suffix; files with other suffixes are not served."""
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "media-src 'self' blob:; manifest-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
API_DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Site:
    """Files that are served below one path under one content security policy."""

    source: Path
    """A folder with everything below it, or a single file."""
    prefix: str
    """The prefix of their paths, with a slash at the end; an index.html is served at its folder's path too."""
    policy: str
    """The value of their content-security-policy header."""


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file at one of its paths."""

    path: str
    file: Path
    content_type: str
    digest: str
    """The first 32 hexadecimal digits of the SHA-256 of the file's content."""
    policy: str


PAGE_SITES: Final = (Site(PAGE, "/", PAGE_POLICY),)
"""The sites that every edge serves."""
API_DOCS_SITES: Final = (
    Site(API_DOCS, "/api-docs/", API_DOCS_POLICY),
    Site(OPENAPI, "/api-docs/", API_DOCS_POLICY),
)
"""The OpenAPI document and Swagger UI; in production they are served only if the settings say so."""
SITES: Final = PAGE_SITES + API_DOCS_SITES


def served(sites: tuple[Site, ...]) -> Iterator[ServedFile]:
    """Yields every file of the sites at each of its paths, without hidden files and unknown suffixes."""
    for site in sites:
        folder = site.source if site.source.is_dir() else site.source.parent
        for file in sorted(site.source.rglob("*")) if site.source.is_dir() else [site.source]:
            name = file.relative_to(folder)
            content_type = CONTENT_TYPES.get(file.suffix)
            if content_type is None or any(part.startswith(".") for part in name.parts):
                continue
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
            for path in _paths(site.prefix, name):
                yield ServedFile(path, file.absolute(), content_type, digest, site.policy)


def _paths(prefix: str, name: Path) -> list[str]:
    """Returns the paths of a file; an index.html also has its folder's path, with and without the slash at the end."""
    path = prefix + quote(name.as_posix())
    if name.name != INDEX:
        return [path]
    folder = path.removesuffix(INDEX)
    return [path, folder, *filter(None, [folder.rstrip("/")])]
