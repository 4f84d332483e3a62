"""Lists of sessions and ending them as callers see it, over gRPC and REST, and the end of streams and tokens."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from medconnect.auth.v1 import auth_service_pb2 as auth
from medconnect.auth.v1 import session_pb2
from medconnect.events.v1 import events_service_pb2 as events

from tests.fixtures.actors import PASSWORD, Actor, Actors
from tests.fixtures.pace import within
from tests.fixtures.proofs import control
from tests.rpc.calls import FACES
from tests.rpc.methods import RPCS

PROMPT_SECONDS = 2.0
"""The promised second, and the time that a busy machine needs."""


def call(actors: Actors, face: str, rpc: str, request: Any, actor: Actor) -> Mapping[str, Any]:
    answer = FACES[face](actors, RPCS[rpc], request, actor)
    assert answer.reason == "", answer
    data: Mapping[str, Any] = answer.body.get("data", answer.body)
    return data


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


@control("S101")
@pytest.mark.parametrize("face", FACES)
def test_own_sessions_are_listed_and_ended(actors: Actors, patient: Actor, face: str) -> None:
    headers = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0"}
    login = {"email": patient.email, "password": PASSWORD}
    assert actors.http.post("/auth/login", json=login, headers=headers).status_code == 200
    listed = call(actors, face, "ListSessions", auth.ListSessionsRequest(), patient)
    newest, current = listed["sessions"]
    assert (listed["totalSize"], newest["device"], newest["address"]) == (2, "Firefox on Windows", "127.0.0.1")
    assert (newest["current"], current["current"]) == (False, True)
    assert current["id"] == actors.session_id(patient)
    assert call(actors, face, "EndSession", auth.EndSessionRequest(session_id=newest["id"]), patient) == {}
    left = call(actors, face, "ListSessions", auth.ListSessionsRequest(), patient)["sessions"]
    assert [session["id"] for session in left] == [current["id"]]


@control("S101")
@pytest.mark.parametrize("face", FACES)
def test_other_sessions_end_and_own_goes_on(actors: Actors, patient: Actor, face: str) -> None:
    others = [actors.sign_in(patient.email) for _ in range(2)]
    answer = call(actors, face, "EndOtherSessions", auth.EndOtherSessionsRequest(), patient)
    assert answer == {"endedSessions": 2}
    assert [actors.rest("GET", "/auth/profile", actor)[0] for actor in (patient, *others)] == [200, 401, 401]


@control("S101")
@pytest.mark.parametrize("face", FACES)
def test_admin_ends_sessions_and_account_stays_open(actors: Actors, patient: Actor, face: str) -> None:
    listed = call(actors, face, "ListUserSessions", auth.ListUserSessionsRequest(user_id=patient.user_id), actors.admin)
    assert [session["id"] for session in listed["sessions"]] == [actors.session_id(patient)]
    request = auth.EndUserSessionsRequest(
        user_id=patient.user_id, reason=session_pb2.END_SESSIONS_REASON_LEFT_SIGNED_IN
    )
    assert call(actors, face, "EndUserSessions", request, actors.admin) == {"endedSessions": 1}
    assert actors.rest("GET", "/auth/profile", patient)[0] == 401
    assert actors.rest("GET", "/auth/profile", actors.sign_in(patient.email))[0] == 200


@control("S101")
def test_reason_for_ending_is_required_and_audited(actors: Actors, patient: Actor) -> None:
    path = f"/users/{patient.user_id}/sessions/end"
    for body in ({}, {"reason": "because"}):
        assert actors.rest("POST", path, actors.admin, body)[1]["error"]["type"] == "VALIDATION_FAILED"
    assert actors.rest("POST", path, actors.admin, {"reason": "device_lost"})[0] == 200
    _, audit = actors.rest("GET", "/audit?event=account_sessions_ended&outcome=success", actors.admin)
    record = audit["data"]["entries"][0]
    assert (record["objectId"], record["reason"]) == (patient.user_id, "DEVICE_LOST")


@control("S101")
def test_ended_session_loses_its_stream_within_a_second(actors: Actors) -> None:
    watching = actors.new_admin()
    elsewhere = actors.sign_in(watching.email)
    stream = actors.events.WatchEmailQueueStatus(events.WatchEmailQueueStatusRequest(), metadata=watching.metadata)
    next(stream)
    ends: list[float] = []
    threading.Thread(target=lambda: ends.append(until_refused(stream)), daemon=True).start()
    ended_at = time.monotonic()
    request = auth.EndSessionRequest(session_id=actors.session_id(watching))
    actors.auth.EndSession(request, metadata=elsewhere.metadata)
    while not ends and time.monotonic() - ended_at < within(3 * PROMPT_SECONDS):
        time.sleep(0.02)
    assert ends, "the stream went on"
    assert ends[0] - ended_at < within(PROMPT_SECONDS)


def until_refused(stream: Any) -> float:
    """Reads a stream until it is refused, and returns the time."""
    with pytest.raises(grpc.RpcError) as refused:
        for _ in stream:
            pass
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    return time.monotonic()


@control("S100")
@pytest.mark.parametrize("face", FACES)
def test_refresh_without_person_returns_tokens_and_same_end(actors: Actors, patient: Actor, face: str) -> None:
    signed_in = actors.auth.Login(auth.LoginRequest(email=patient.email, password=PASSWORD))
    assert signed_in.idle_seconds == 24 * 3600
    before = call(actors, face, "ListSessions", auth.ListSessionsRequest(), patient)["sessions"][0]
    time.sleep(1.1)
    request = auth.RefreshTokenRequest(refresh_token=signed_in.refresh_token, unattended=True)
    answer = call(actors, face, "RefreshToken", request, patient)
    assert 24 * 3600 - 30 < answer["idleSeconds"] < 24 * 3600 - 1
    after = call(actors, face, "ListSessions", auth.ListSessionsRequest(), patient)["sessions"][0]
    assert after == before
    attended = auth.RefreshTokenRequest(refresh_token=answer["refreshToken"])
    assert call(actors, face, "RefreshToken", attended, patient)["idleSeconds"] == 24 * 3600
    later = call(actors, face, "ListSessions", auth.ListSessionsRequest(), patient)["sessions"][0]
    assert later["expiresAt"] > after["expiresAt"]
    assert later["lastUsedAt"] > after["lastUsedAt"]
