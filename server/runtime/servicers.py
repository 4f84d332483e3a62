"""The servicers of all gRPC services, built on the services."""

from typing import Any

from medconnect.auth.v1 import (
    auth_service_pb2_grpc,
    organisation_service_pb2_grpc,
    second_factor_service_pb2_grpc,
)
from medconnect.clinical.v1 import (
    clinical_service_pb2_grpc,
    patient_email_service_pb2_grpc,
    patient_identity_service_pb2_grpc,
    suspension_service_pb2_grpc,
)
from medconnect.events.v1 import events_service_pb2_grpc
from medconnect.pharmacy.v1 import pharmacy_service_pb2_grpc

from server.api.auth.organisation_servicer import OrganisationServicer
from server.api.auth.second_factor_servicer import SecondFactorServicer
from server.api.auth.servicer import AuthServicer
from server.api.clinical.patient_email_servicer import PatientEmailServicer
from server.api.clinical.patient_identity_servicer import PatientIdentityServicer
from server.api.clinical.servicer import ClinicalServicer
from server.api.clinical.suspension_servicer import SuspensionServicer
from server.api.events.servicer import EventsServicer
from server.api.pharmacy.servicer import PharmacyServicer
from server.runtime.services import Services


def add_servicers(server: Any, services: Services) -> None:  # noqa: ANN401 - gRPC's server, or its AcceptLines
    """Adds the servicer of every service to a server."""
    auth_service_pb2_grpc.add_AuthServiceServicer_to_server(
        AuthServicer(
            services.accounts,
            services.sessions,
            services.open_sessions,
            services.passwords,
            services.profiles,
            services.email_changes,
            services.access_tokens,
            services.audit,
        ),
        server,
    )
    second_factor_service_pb2_grpc.add_SecondFactorServiceServicer_to_server(
        SecondFactorServicer(services.second_step, services.second_factors), server
    )
    organisation_service_pb2_grpc.add_OrganisationServiceServicer_to_server(
        OrganisationServicer(services.organisations, services.members), server
    )
    patient_email_service_pb2_grpc.add_PatientEmailServiceServicer_to_server(
        PatientEmailServicer(services.patient_emails), server
    )
    patient_identity_service_pb2_grpc.add_PatientIdentityServiceServicer_to_server(
        PatientIdentityServicer(services.identifications), server
    )
    suspension_service_pb2_grpc.add_SuspensionServiceServicer_to_server(
        SuspensionServicer(services.suspensions), server
    )
    clinical_service_pb2_grpc.add_ClinicalServiceServicer_to_server(
        ClinicalServicer(
            services.patients,
            services.visits,
            services.prescriptions,
            services.codes,
            services.histories,
            services.audit,
        ),
        server,
    )
    pharmacy_service_pb2_grpc.add_PharmacyServiceServicer_to_server(PharmacyServicer(services.pharmacy), server)
    events_service_pb2_grpc.add_EventsServiceServicer_to_server(
        EventsServicer(services.events, services.rate_limits), server
    )
