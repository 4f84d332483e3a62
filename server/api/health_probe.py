"""Asks a server's health service, for probes that run beside it. Imports little, because probes start often."""

from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PROBE_SECONDS: Final = 2.0
"""The time for an answer; probes are usually given more."""
LIVENESS: Final = "liveness"
"""The health service that is SERVING as long as the event loop answers: its failure calls for a restart."""
WHOLE: Final = ""
SERVING: Final = "SERVING"


def state_at(target: str, *, live: bool, roots: Path | None = None, name: str = "") -> str:
    """Returns the state that a server reports, such as SERVING, or the code of the call that failed.

    target: `host:port`, or `unix:` and a path. live: asks only whether its event loop runs. roots: the certificates
    (PEM) to trust; None: no TLS. name: the host name in the server's certificate, if it is not the target's.
    """
    options = [("grpc.ssl_target_name_override", name)] if name else []
    with _channel(target, roots, options) as channel:
        request = health_pb2.HealthCheckRequest(service=LIVENESS if live else WHOLE)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(request, timeout=PROBE_SECONDS)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code.name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _channel(target: str, roots: Path | None, options: list[tuple[str, str]]) -> grpc.Channel:
    if roots is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(roots.read_bytes()), options)
