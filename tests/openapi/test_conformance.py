"""Every operation responds as documented, and never with a server fault, for any request of any caller.

Schemathesis generates calls that the document allows and calls that it forbids; some of them get values that exist in
the instance. `pytest tests/openapi --api-examples=200 -s` makes 200 for each operation, different ones at each run, and
counts the responses by status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition

from tests.fixtures.actors import Actor, Actors
from tests.fixtures.cells import cells
from tests.openapi.conftest import API_EXAMPLES
from tests.openapi.documented import EVENTS, read_document
from tests.openapi.plays import Plays
from tests.rpc.methods import RPCS

if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.schemas import APIOperationMap

OWN_TURNS: Final = 4
"""The weight of the permitted caller among all callers; the others, mostly refused, have weight 1 each."""
UNAVAILABLE: Final = 503

DOCUMENT = read_document()


@pytest.fixture(scope="module")
def calls() -> Mapping[str, APIOperationMap]:
    """Returns the operations by path and verb. Each process collects this module, and the import takes 3 s."""
    from schemathesis import openapi

    return openapi.from_dict(dict(DOCUMENT.document))


@pytest.fixture(scope="module")
def plays(actors: Actors) -> Plays:
    return Plays(actors)


@pytest.fixture(scope="module")
def one_of_each_role(actors: Actors) -> list[Actor | None]:
    """Returns no caller (None), and one of each role."""
    return [None, actors.new_patient(), actors.new_doctor(), actors.new_pharmacist(), actors.new_admin()]


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module", autouse=True)
def tally() -> Iterator[Counter[int]]:
    """Counts the responses by status; `pytest -s` prints the counts."""
    counted: Counter[int] = Counter()
    yield counted
    print(f"\n{counted.total()} calls:", dict(sorted(counted.items())))


# The instance runs in a thread of this process, and uses `random` while strategies are evaluated.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@cells("name", RPCS)
def test_every_call_is_answered_as_documented(
    actors: Actors,
    calls: Mapping[str, APIOperationMap],
    plays: Plays,
    one_of_each_role: list[Actor | None],
    http: requests.Session,
    tally: Counter[int],
    api_examples: int,
    name: str,
) -> None:
    from schemathesis import GenerationMode

    known, own = plays.known(name)
    operation = calls[DOCUMENT.operations[name].path][DOCUMENT.operations[name].verb]

    @settings(
        max_examples=api_examples,
        deadline=None,
        database=None,
        derandomize=api_examples == API_EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE)),
        actor=st.sampled_from([*one_of_each_role, *[own] * OWN_TURNS]),
        real=st.sets(st.sampled_from(sorted(known))) if known else st.just(set()),
    )
    def call(case: Case[Any], actor: Actor | None, real: Collection[str]) -> None:
        if name == "Logout" and actor is not None:  # in a session that no other test needs
            _, actor = plays.known(name)
        put_in(case, {member: known[member] for member in real})
        sent = case.as_transport_kwargs(actors.instance.rest)
        sent["headers"].update(actor.headers if actor else {})
        with http.request(**sent, stream=True, timeout=30) as response:
            tally[response.status_code] += 1
            if response.headers["content-type"] != EVENTS:
                _ = response.content
            told = (name, sent, response.status_code)
            assert response.status_code < 500 or response.status_code == UNAVAILABLE, told
            assert DOCUMENT.faults(name, response) == [], told

    before = tally.total()
    with suppress(FlakyStrategyDefinition):  # some strategies of Schemathesis depend on earlier draws
        call()
    assert tally.total() > before


def put_in(case: Case[Any], known: Mapping[str, Any]) -> None:
    """Replaces generated values in the path and the body by those of the instance."""
    in_path = known.keys() & case.path_parameters.keys()
    case.path_parameters.update({member: known[member] for member in in_path})
    if isinstance(case.body, dict):
        case.body.update({member: value for member, value in known.items() if member not in in_path})
