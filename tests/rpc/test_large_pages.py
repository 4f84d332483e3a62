"""A page whose entries exceed the limit on messages is cut to what fits, on every interface."""

from typing import Final

from medconnect.clinical.v1 import visit_pb2
from sqlalchemy import text

from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS

VISITS: Final = 100
COPIES: Final = """
    INSERT INTO visits (id, patient_id, doctor_id, visit_date, visit_type, chief_complaint, symptoms, diagnosis,
        treatment_notes, recommendations)
    SELECT gen_random_uuid(), :patient_id, :doctor_id, DATE '2020-01-01' + n, 'consultation', 'Cough at night', filling,
        filling, filling, filling
    FROM generate_series(1, :visits) AS n, (SELECT repeat(:character, 4000) AS filling) AS long
"""


@cells("face", FACES)
@cells("character", ["\U0001f600", "<", '"'])
def test_page_of_long_visits_is_cut_to_what_fits(actors: Actors, face: str, character: str) -> None:
    doctor, patient = actors.new_doctor(), actors.new_patient()
    filling = {"patient_id": patient.patient_id, "doctor_id": doctor.user_id, "visits": VISITS, "character": character}

    async def fill() -> None:
        async with actors.instance.core.work.begin() as tx:
            await tx.connection.execute(text(COPIES), filling)

    actors.instance.run(fill())
    token, days, pages = "", [], 0
    while token or not pages:
        request = visit_pb2.ListMedicalVisitsRequest(page_size=100, page_token=token)
        answer = FACES[face](actors, RPCS["ListMedicalVisits"], request, doctor)
        assert answer.ok, (answer.status, answer.reason)
        token, pages = answer.body["nextPageToken"], pages + 1
        days += [visit["visitDate"] for visit in answer.body["visits"]]
    assert len(days) == len(set(days)) == VISITS
    assert pages > 1
