"""Tests which methods gRPC accepts on a line of their own: each line costs time at every call."""

from typing import Any

from grpc_health.v1 import health_pb2_grpc
from medconnect.auth.v1 import auth_service_pb2_grpc
from medconnect.clinical.v1 import clinical_service_pb2_grpc
from medconnect.events.v1 import events_service_pb2_grpc
from medconnect.pharmacy.v1 import pharmacy_service_pb2_grpc

from server.api.listening import OWN_LINES, AcceptLines

ADDING: tuple[Any, ...] = (
    (health_pb2_grpc.add_HealthServicer_to_server, health_pb2_grpc.HealthServicer),
    (auth_service_pb2_grpc.add_AuthServiceServicer_to_server, auth_service_pb2_grpc.AuthServiceServicer),
    (
        clinical_service_pb2_grpc.add_ClinicalServiceServicer_to_server,
        clinical_service_pb2_grpc.ClinicalServiceServicer,
    ),
    (
        pharmacy_service_pb2_grpc.add_PharmacyServiceServicer_to_server,
        pharmacy_service_pb2_grpc.PharmacyServiceServicer,
    ),
    (events_service_pb2_grpc.add_EventsServiceServicer_to_server, events_service_pb2_grpc.EventsServiceServicer),
)


class Server:
    """Records what is added to it."""

    def __init__(self) -> None:
        self.handlers: list[Any] = []
        self.registered: set[str] = set()

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self.handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self.registered |= {f"/{service}/{name}" for name in handlers}


def test_only_health_checks_and_sign_ins_have_own_lines() -> None:
    server: Any = Server()
    for add, servicer in ADDING:
        add(servicer(), AcceptLines(server))
    assert server.registered == OWN_LINES
    assert len(server.handlers) == len(ADDING)
