"""What the edge is told, and how envoy.yaml is filled in with it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

LUA: Final = Path(__file__).parent
ROOT: Final = LUA.parents[1]
# A wheel carries both beside this module; in a checkout they stand where they are made.
TEMPLATE: Final = next(path for path in (LUA / "envoy.yaml", ROOT / "envoy.yaml") if path.exists())
GENERATED: Final = TEMPLATE.with_name("generated")
PACKAGE: Final = "medconnect."

Json = str | int | list["Json"] | dict[str, "Json"]
"""A value that stands for a `"${NAME}"` of envoy.yaml."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """What the edge is told by the composition root."""

    home: Path
    """MEDCONNECT_HOME; the filled-in configuration, the log and the admin socket go to `home/envoy`."""
    server_sockets: tuple[Path, ...]
    """The Unix sockets of the gRPC server's processes."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 3000
    """The port to listen on; 0 chooses a free one."""
    cors_origins: tuple[str, ...] = ()
    """The browser origins that may call, exactly as browsers send them; empty: none."""
    trusted_hops: int = 0
    """How many proxies before Envoy append to `x-forwarded-for`; 0: Envoy's peer is the caller."""
    concurrency: int = 1
    """Envoy's worker threads."""
    drain_seconds: float = 10.0
    """How long calls in flight may take to end when the edge stops."""
    generated: Path = GENERATED
    """Where descriptors.binpb and edge_tables.lua are."""

    @property
    def folder(self) -> Path:
        """Where Envoy's own files are."""
        return self.home.absolute() / "envoy"

    @property
    def admin_socket(self) -> Path:
        """Where Envoy's admin interface listens, for this user only."""
        return self.folder / "admin.sock"


def services(descriptors: Path) -> list[str]:
    """Return the full names of MedConnect's services in a descriptor set."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file
    own = [file for file in files if file.package.startswith(PACKAGE)]
    return [f"{file.package}.{service.name}" for file in own for service in file.service]


def filled_in(config: EdgeConfig, template: str) -> str:
    """Return envoy.yaml with its `"${NAME}"`s replaced; raise KeyError for a name that nothing stands for."""
    descriptors = config.generated.absolute() / "descriptors.binpb"
    values: dict[str, Json] = {
        "ADMIN_SOCKET": str(config.admin_socket),
        "HOST": config.host,
        "PORT": config.port,
        "TRUSTED_HOPS": config.trusted_hops,
        "CORS_ORIGINS": [{"exact": origin} for origin in config.cors_origins],
        "LUA_PATH": f"{LUA}/?.lua;{config.generated.absolute()}/?.lua",
        "DESCRIPTORS": str(descriptors),
        "SERVICES": [*services(descriptors)],
        "SERVER_ENDPOINTS": [
            {"endpoint": {"address": {"pipe": {"path": str(socket.absolute())}}}} for socket in config.server_sockets
        ],
    }
    return re.sub(r'"\$\{(\w+)\}"', lambda found: json.dumps(values[found[1]], ensure_ascii=False), template)
