"""The edge's configuration, and how it is filled in to envoy.yaml."""

import json
import re
import resource
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

from server.config.tls import TlsFiles
from server.edge.sites import SITES, ServedFile, Site, served

LUA: Final = Path(__file__).parent
ROOT: Final = LUA.parents[1]
# A wheel contains both next to this module; in a checkout they are at the root.
TEMPLATE: Final = next(path for path in (LUA / "envoy.yaml", ROOT / "envoy.yaml") if path.exists())
GENERATED: Final = TEMPLATE.with_name("generated")
PACKAGE: Final = "medconnect."
TYPE: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
CERTIFICATE: Final = "certificate"
CLIENT_CA: Final = "client_ca"
UNIT_BYTES: Final = 16 * 1024
"""The unit of the rate limit on files, in bytes (envoy.yaml)."""
OWN_FILES: Final = 2048
"""File descriptors reserved for connections to the server and for Envoy's own files."""
INSPECTORS: Final = "envoy.extensions.filters.listener"
ONE_YEAR: Final = "max-age=31536000; includeSubDomains"
"""How long browsers must use only TLS for this host, as a header value."""

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]
"""A value that replaces a `"${NAME}"` of envoy.yaml."""


def as_many_as_files() -> int:
    """Returns how many connections Envoy can hold: the limit on open files without those that Envoy needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(files - OWN_FILES, files // 2)


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The edge's configuration, built by the composition root."""

    home: Path
    """MEDCONNECT_HOME; the filled-in configuration, the log and the admin socket are in `home/envoy`."""
    server_sockets: tuple[Path, ...]
    """The Unix sockets of the gRPC server's processes."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 3000
    """The port to listen on; 0 chooses a free one."""
    grpc_host: str = "127.0.0.1"
    """The address to listen on for native gRPC."""
    grpc_port: int = 0
    """The port for native gRPC; 0 chooses a free one."""
    cors_origins: tuple[str, ...] = ()
    """The browser origins that may call, exactly as browsers send them."""
    tls: TlsFiles | None = None
    """The server certificate; without it the edge serves no TLS. Its `client_ca` applies only to the port of native
    gRPC."""
    trusted_hops: int = 0
    """How many proxies before Envoy append to `x-forwarded-for`; with 0, Envoy's peer is the client."""
    browsers_use_tls: bool = False
    """True if browsers reach this edge over TLS, its own or a proxy's; responses then carry HSTS."""
    concurrency: int = 1
    """The number of Envoy's worker threads."""
    most_connections: int = field(default_factory=as_many_as_files)
    """The limit on concurrent connections, for both ports together."""
    drain_seconds: float = 25.0
    """How long the edge waits at its stop for calls in flight."""
    generated: Path = GENERATED
    """The folder of rest_descriptors.binpb and edge_tables.lua."""
    sites: tuple[Site, ...] = SITES
    """The files that Envoy serves to browsers."""

    @property
    def folder(self) -> Path:
        """The folder of Envoy's own files."""
        return self.home.absolute() / "envoy"

    @property
    def descriptors(self) -> Path:
        """The descriptor set of the methods that REST publishes."""
        return self.generated.absolute() / "rest_descriptors.binpb"

    @property
    def certificate(self) -> Path:
        """The file that names the certificate's files to Envoy, which reloads them when they are replaced."""
        return self.folder / "certificate.json"

    @property
    def client_ca(self) -> Path:
        """The file that names the root certificates of clients to Envoy, which reloads them when they are replaced."""
        return self.folder / "client_ca.json"

    @property
    def pressure(self) -> Path:
        """The file with the share of connections in use, which Envoy reads (pressure.py)."""
        return self.folder / "pressure"

    @property
    def admin_socket(self) -> Path:
        """The Unix socket of Envoy's admin interface, accessible to this user only."""
        return self.folder / "admin.sock"


def services(descriptors: Path) -> list[str]:
    """Returns the full names of MedConnect's services in a descriptor set."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    own = [file for file in files if file.package.startswith(PACKAGE)]
    return [f"{file.package}.{service.name}" for file in own for service in file.service]


def filled_in(config: EdgeConfig, template: str) -> str:
    """Returns envoy.yaml with every `"${NAME}"` replaced. Raises KeyError for a name without a value."""
    routes = [route for file in served(config.sites) for route in _routes(file)]
    spread = re.sub(
        r'^( *- )"\$\{FILE_ROUTES\}"$', lambda found: _lines(found[1], routes), template, flags=re.MULTILINE
    )
    values: dict[str, Json] = {
        "MOST_CONNECTIONS": config.most_connections,
        "PRESSURE": str(config.pressure),
        "FIRST_BYTES": [_first_bytes("tls_inspector" if config.tls else "http_inspector")],
        "ADMIN_SOCKET": str(config.admin_socket),
        "HOST": config.host,
        "PORT": config.port,
        "TRUSTED_HOPS": config.trusted_hops,
        "GRPC_HOST": config.grpc_host,
        "GRPC_PORT": config.grpc_port,
        "TLS": _tls(config) if config.tls else None,
        "GRPC_TLS": _grpc_tls(config) if config.tls else None,
        "HSTS": ONE_YEAR if config.tls or config.browsers_use_tls else "",
        "CORS_ORIGINS": [{"exact": origin} for origin in config.cors_origins],
        "LUA_PATH": f"{LUA}/?.lua;{config.generated.absolute()}/?.lua",
        "DESCRIPTORS": str(config.descriptors),
        "SERVICES": [*services(config.descriptors)],
        "SERVER_ENDPOINTS": [
            {"endpoint": {"address": {"pipe": {"path": str(socket.absolute())}}}} for socket in config.server_sockets
        ],
    }
    return re.sub(r'"\$\{(\w+)\}"', lambda found: json.dumps(values[found[1]], ensure_ascii=False), spread)


def _first_bytes(inspector: str) -> Json:
    name = f"envoy.filters.listener.{inspector}"
    kind = "".join(word.title() for word in inspector.split("_"))
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{INSPECTORS}.{inspector}.v3.{kind}"}}


def _lines(indent: str, entries: list[Json]) -> str:
    """Returns the entries of a list, one per line."""
    return "\n".join(indent + json.dumps(entry, ensure_ascii=False) for entry in entries)


def _routes(file: ServedFile) -> list[Json]:
    """Returns two routes to a file: 304 for requests whose if-none-match names its digest, else the file."""
    reading: Json = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    one_host: Json = {"name": ":authority", "string_match": {"contains": ","}, "invert_match": True}
    holding: Json = {"name": "if-none-match", "string_match": {"contains": f'"{file.digest}"'}}
    headers = {
        "content-type": file.content_type,
        "etag": f'W/"{file.digest}"',  # weak, because compression changes the bytes
        "cache-control": "no-cache",
        "content-security-policy": file.policy,
        "permissions-policy": "camera=(self)",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    off: Json = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    off_here: dict[str, Json] = {f"envoy.filters.http.{name}": off for name in ("lua", "grpc_json_transcoder")}
    always: dict[str, Json] = {
        "response_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in headers.items()
        ],
        "typed_per_filter_config": off_here,
    }
    limited: Json = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    units = -(-file.file.stat().st_size // UNIT_BYTES)
    loading: dict[str, Json] = {
        **always,
        "metadata": {"filter_metadata": {"file": {"units": units}}},
        "typed_per_filter_config": {**off_here, "envoy.filters.http.local_ratelimit": limited},
    }
    content: Json = {"filename": str(file.file)}
    return [
        {
            "match": {"path": file.path, "headers": [reading, one_host, holding]},
            "direct_response": {"status": 304},
            "response_headers_to_remove": ["location"],  # added by Envoy, without use
            **always,
        },
        {
            "match": {"path": file.path, "headers": [reading, one_host]},
            "direct_response": {"status": 200, "body": content},
            **loading,
        },
    ]


def certificate_files(tls: TlsFiles) -> str:
    """Returns the content of `config.certificate`: Envoy's name for the certificate, and its files."""
    files: Json = {
        "certificate_chain": {"filename": str(tls.certificate.absolute())},
        "private_key": {"filename": str(tls.key.absolute())},
    }
    return _secret({"name": CERTIFICATE, "tls_certificate": files})


def client_ca_file(client_ca: Path) -> str:
    """Returns the content of `config.client_ca`: Envoy's name for the root certificates of clients, and their file."""
    return _secret({"name": CLIENT_CA, "validation_context": {"trusted_ca": {"filename": str(client_ca.absolute())}}})


def _secret(secret: dict[str, Json]) -> str:
    return json.dumps({"resources": [{"@type": f"{TYPE}.Secret", **secret}]})


def _tls(config: EdgeConfig) -> Json:
    """Returns the TLS context of REST: TLS 1.2 or 1.3 with a certificate that can be replaced at run time."""
    return _downstream({**_certificate(config), "alpn_protocols": ["h2", "http/1.1"]})


def _grpc_tls(config: EdgeConfig) -> Json:
    """Returns the TLS context of native gRPC: HTTP/2 only; `client_ca` makes client certificates mandatory."""
    common: dict[str, Json] = {**_certificate(config), "alpn_protocols": ["h2"]}
    if config.tls is None or config.tls.client_ca is None:
        return _downstream(common)
    common["validation_context_sds_secret_config"] = _followed(CLIENT_CA, config.client_ca)
    return _downstream(common, require_client_certificate=True)


def _certificate(config: EdgeConfig) -> dict[str, Json]:
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificate_sds_secret_configs": [_followed(CERTIFICATE, config.certificate)],
    }


def _followed(name: str, file: Path) -> Json:
    """Returns a reference to a secret that Envoy reloads whenever its files are replaced."""
    return {"name": name, "sds_config": {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}}


def _downstream(common: dict[str, Json], **options: Json) -> Json:
    context: Json = {"@type": f"{TYPE}.DownstreamTlsContext", "common_tls_context": common, **options}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
