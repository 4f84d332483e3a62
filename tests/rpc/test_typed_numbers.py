"""Reference numbers are read over gRPC and REST as people type them and scanners send them."""

import pytest
from medconnect.pharmacy.v1 import scan_pb2

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.cells import cells
from tests.fixtures.typed_numbers import WRITINGS
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS


@pytest.fixture(scope="module")
def pharmacist(actors: Actors) -> Actor:
    return actors.new_pharmacist()


@pytest.fixture(scope="module")
def numbers(actors: Actors) -> tuple[str, str]:
    """Returns the number of a prescription and that of its patient."""
    patient = actors.new_patient()
    number = actors.prescribe(patient.patient_id).prescription_number
    _, answer = actors.rest("GET", "/patients/profile", patient)
    return number, answer["data"]["patient"]["referenceNumber"]


@cells("face", FACES)
@cells("writing", WRITINGS)
def test_lookup_reads_a_number_however_it_is_written(
    actors: Actors, pharmacist: Actor, numbers: tuple[str, str], face: str, writing: str
) -> None:
    for number in numbers:
        request = scan_pb2.LookupPrescriptionsRequest(reference_number=WRITINGS[writing](number))
        answer = FACES[face](actors, RPCS["LookupPrescriptions"], request, pharmacist)
        assert answer.ok, answer
        assert answer.body["referenceNumber"] == number
        assert answer.body["prescriptions"][0]["prescription"]["prescriptionNumber"] == numbers[0]


@cells("writing", WRITINGS)
def test_patient_search_reads_a_reference_number(actors: Actors, numbers: tuple[str, str], writing: str) -> None:
    search = {"search": WRITINGS[writing](numbers[1])}
    status, answer = actors.rest("POST", "/doctors/patients/search", actors.doctor, search)
    assert (status, [found["referenceNumber"] for found in answer["data"]["patients"]]) == (200, [numbers[1]])
