"""The files that Envoy answers by itself: which ones, at which paths, and what browsers may do with them.

They are looked for at the start: a new file in a site's folder needs nothing else.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
# A wheel carries all of them beside this module; in a checkout they stand where they are made.
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
"""By suffix; what has another one is not for browsers, and not served."""
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
    """Files that are served below one path under one policy."""

    source: Path
    """A folder, with all that is below it, or a single file."""
    prefix: str
    """What their paths begin with, a slash at its end; an index.html is served at its folder's path too."""
    policy: str
    """Their content-security-policy."""


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file at a path."""

    path: str
    file: Path
    content_type: str
    digest: str
    """32 hex digits of SHA-256 of what it holds."""
    policy: str


PAGE_SITES: Final = (Site(PAGE, "/", PAGE_POLICY),)
"""What every edge serves."""
API_DOCS_SITES: Final = (
    Site(API_DOCS, "/api-docs/", API_DOCS_POLICY),
    Site(OPENAPI, "/api-docs/", API_DOCS_POLICY),
)
"""The OpenAPI document and Swagger UI: an edge in production serves them only when asked to."""
SITES: Final = PAGE_SITES + API_DOCS_SITES


def served(sites: tuple[Site, ...]) -> Iterator[ServedFile]:
    """Yield every file of the sites at each of its paths; hidden ones and unknown suffixes are left out."""
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
    """Where a file is found; a folder's path leads to its index with and without the slash at its end."""
    path = prefix + quote(name.as_posix())
    if name.name != INDEX:
        return [path]
    folder = path.removesuffix(INDEX)
    return [path, folder, *filter(None, [folder.rstrip("/")])]
