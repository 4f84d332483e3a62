"""Every documented example works, and its response is as documented."""

import httpx
import pytest

from protos.openapi.example import read_examples
from tests.fixtures.actors import Actors
from tests.fixtures.cells import cells
from tests.openapi.documented import EVENTS, JSON, Document, first_event, read_document
from tests.openapi.plays import Plays
from tests.rpc.methods import RPCS, access_of

EXAMPLES = read_examples()


@pytest.fixture(scope="module")
def document() -> Document:
    return read_document()


@pytest.fixture(scope="module")
def plays(actors: Actors) -> Plays:
    return Plays(actors)


@cells("name", RPCS)
def test_an_example_works_and_is_answered_as_documented(
    actors: Actors, plays: Plays, document: Document, name: str
) -> None:
    response = actors.http.send(plays.of(name, EXAMPLES[name]).request(actors.http), stream=True)
    try:
        events = response.headers["content-type"] == EVENTS
        text = next(response.iter_text()) if events else response.read().decode(errors="replace")
    finally:
        response.close()
    assert response.status_code == document.operations[name].success, text
    assert document.faults(name, response) == []
    assert {"x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(response.headers)
    if events:
        assert document.problems(document.content(name, EVENTS)["x-event"], first_event(text)) == []
    elif access_of(RPCS[name]).message and response.headers["content-type"].startswith(JSON):
        assert response.json()["data"].keys() == EXAMPLES[name].data.keys()


def test_a_browser_refreshes_by_its_cookie_as_documented(actors: Actors, plays: Plays, document: Document) -> None:
    cookie = {"x-refresh-cookie": "true"}
    request = plays.of("Login", EXAMPLES["Login"]).request(actors.http)
    with httpx.Client(base_url=actors.http.base_url, headers=cookie) as browser:
        signed_in = browser.post("auth/login", content=request.content, headers={"content-type": JSON})
        refreshed = browser.post("auth/refresh")
    for name, response in (("Login", signed_in), ("RefreshToken", refreshed)):
        assert document.faults(name, response) == []
        assert (response.is_success, response.json()["data"]["refreshToken"]) == (True, "")
        assert response.headers["set-cookie"]


def test_health_is_answered_as_documented(actors: Actors, document: Document) -> None:
    response = httpx.get(f"{actors.instance.rest}/health")
    assert response.json() == {"status": "SERVING"}
    assert document.faults("Health", response) == []


@cells("name", RPCS)
def test_what_an_example_shows_fits_its_schemas(document: Document, name: str) -> None:
    described, shown = document.operations[name].described, 0
    for parameter in map(document.resolved, described.get("parameters", ())):
        if parameter["name"] in EXAMPLES[name].request:
            shown += 1
            assert parameter["example"] == EXAMPLES[name].request[parameter["name"]]
            assert document.problems(parameter["schema"], parameter["example"]) == []
    if "requestBody" in described:
        content = described["requestBody"]["content"][JSON]
        shown += len(content["example"])
        assert document.problems(content["schema"], content["example"]) == []
    assert shown == len(EXAMPLES[name].request)
    for media, content in described["responses"][str(document.operations[name].success)]["content"].items():
        if media == JSON:
            assert document.problems(content["schema"], content["example"]) == []
        elif media == EVENTS:
            assert document.problems(content["x-event"], first_event(content["example"])) == []
