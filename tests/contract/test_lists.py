"""Every list: pages, totals, order, filters, and page tokens that belong to one caller and one filter."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from medconnect.clinical.v1 import clinical_service_pb2

from tests.contract.listings import COUNT, Listing, written
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.cells import cells
from tests.fixtures.proofs import control
from tests.rpc.methods import RPCS

UNFILTERED = {"GetMedicalHistory", "GetPatientHistory", "ListRecordVersions", "ListMyRecordVersions"} | {
    "ListSessions",
    "ListUserSessions",
    "ListMembers",
}
LISTS = sorted(name for name, rpc in RPCS.items() if "page_token" in rpc.descriptor.input_type.fields_by_name)


@pytest.fixture(scope="module")
def listings(actors: Actors) -> Mapping[str, Listing]:
    """Returns every list, filled with rows."""
    return written(actors)


def test_every_list_is_among_those_tested(listings: Mapping[str, Listing]) -> None:
    assert sorted(listings) == LISTS


@pytest.mark.parametrize("name", LISTS)
def test_the_pages_together_hold_every_row_once_in_order(
    actors: Actors, listings: Mapping[str, Listing], name: str
) -> None:
    listing = listings[name]
    pages = list(walk(actors, listing, 2))

    assert [len(page[listing.rows]) for page in pages] == [2, 2, 1]
    assert all((page["totalSize"], page["totalSizeIsMinimum"]) == (COUNT, False) for page in pages)
    rows = [row for page in pages for row in page[listing.rows]]
    assert rows == get(actors, listing.owner, listing.wide)[listing.rows]
    assert len({id_of(row) for row in rows}) == COUNT
    order = [row[listing.ordered_by] for row in rows]
    assert order == sorted(order, reverse=listing.descending)
    assert len(set(order)) > 1


@pytest.mark.parametrize("name", sorted(set(LISTS) - UNFILTERED))
def test_a_filter_narrows_rows_and_total(actors: Actors, listings: Mapping[str, Listing], name: str) -> None:
    listing = listings[name]
    narrow = get(actors, listing.owner, listing.narrow)
    assert len(narrow[listing.rows]) == narrow["totalSize"] < COUNT
    assert narrow["nextPageToken"] == ""


@control("S34")
@pytest.mark.parametrize("name", LISTS)
def test_page_token_of_another_caller_or_filter_is_refused(
    actors: Actors, listings: Mapping[str, Listing], name: str
) -> None:
    listing = listings[name]
    token = first_token(actors, listing)
    assert get(actors, listing.owner, with_query(listing.wide, pageSize=2, pageToken=token))

    stolen = actors.rest("GET", with_query(listing.wide, pageSize=2, pageToken=token), listing.stranger)
    narrow = with_query(listing.narrow or listing.wide, pageSize=2, pageToken=token)
    refiltered = actors.rest("GET", narrow, listing.owner if listing.narrow else listing.stranger)
    edited = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    forged = actors.rest("GET", with_query(listing.wide, pageSize=2, pageToken=edited), listing.owner)
    nonsense = actors.rest("GET", with_query(listing.wide, pageToken="next"), listing.owner)

    for status, answer in (stolen, refiltered, forged, nonsense):
        assert (status, answer["error"]["type"]) == (400, "PAGE_TOKEN_INVALID")
        assert [detail["field"] for detail in answer["error"]["details"]] == ["pageToken"]


@control("S34")
@pytest.mark.parametrize(
    "name", ["ListPrescriptions", "ListMedicalVisits", "ListMyPrescriptions", "ListDispensingHistory"]
)
def test_list_of_stranger_contains_no_rows_of_owner(actors: Actors, listings: Mapping[str, Listing], name: str) -> None:
    listing = listings[name]
    everything = replace(listing, wide=listing.wide.partition("?")[0])
    own, others = (
        {row["id"] for page in walk(actors, replace(everything, owner=reader), 2) for row in page[listing.rows]}
        for reader in (listing.owner, listing.stranger)
    )
    assert len(own) >= COUNT
    assert not own & others


@pytest.mark.parametrize("name", LISTS)
def test_a_token_of_another_list_is_refused(actors: Actors, listings: Mapping[str, Listing], name: str) -> None:
    for other in listings.keys() - {name}:
        path = with_query(listings[name].wide, pageToken=first_token(actors, listings[other]))
        status, answer = actors.rest("GET", path, listings[name].owner)
        assert (other, status, answer["error"]["type"]) == (other, 400, "PAGE_TOKEN_INVALID")


@control("S34")
@cells("name", LISTS)
@cells("size", [-1, 101, 2**31 - 1, 2**31, "1.5", "many"])
def test_a_page_size_out_of_bounds_is_refused(
    actors: Actors, listings: Mapping[str, Listing], name: str, size: int | str
) -> None:
    status, answer = actors.rest("GET", with_query(listings[name].wide, pageSize=size), listings[name].owner)
    assert (status, answer["success"], answer["error"]["statusCode"]) == (400, False, 400)


@pytest.mark.parametrize("name", LISTS)
def test_the_least_and_the_largest_page_size_are_taken(
    actors: Actors, listings: Mapping[str, Listing], name: str
) -> None:
    listing = listings[name]
    least = get(actors, listing.owner, with_query(listing.wide, pageSize=1))
    largest = get(actors, listing.owner, with_query(listing.wide, pageSize=100))
    assert (len(least[listing.rows]), len(largest[listing.rows])) == (1, COUNT)
    assert bool(least["nextPageToken"]) > bool(largest["nextPageToken"])


@pytest.mark.parametrize("name", LISTS)
def test_a_page_size_of_0_is_the_default(actors: Actors, listings: Mapping[str, Listing], name: str) -> None:
    listing = listings[name]
    default, zero = (get(actors, listing.owner, path) for path in (listing.wide, with_query(listing.wide, pageSize=0)))
    assert len(zero[listing.rows]) == len(default[listing.rows])
    assert bool(zero["nextPageToken"]) == bool(default["nextPageToken"])


@cells("name", LISTS)
@cells("query", [{"page": 2}, {"offset": 0}, {"page_sise": 2}, {"doctorId": "x"}])
def test_a_query_parameter_that_does_not_exist_is_refused(
    actors: Actors, listings: Mapping[str, Listing], name: str, query: Mapping[str, Any]
) -> None:
    status, answer = actors.rest("GET", with_query(listings[name].wide, **query), listings[name].owner)
    assert (status, answer["error"]["type"]) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize("name", ["ListPrescriptions", "ListMyPrescriptions"])
def test_several_states_may_be_asked_for_in_short_words(
    actors: Actors, listings: Mapping[str, Listing], name: str
) -> None:
    listing = listings[name]

    def states(*words: str) -> list[str]:
        path = listing.wide
        for word in words:
            path = with_query(path, status=word)
        return sorted(row["status"] for row in get(actors, listing.owner, path)["prescriptions"])

    assert states("scanned") == ["scanned"] * (COUNT - 1)
    assert states("cancelled") == ["cancelled"]
    assert states("cancelled", "scanned") == states("scanned", "cancelled", "scanned") == states()
    assert states("pending", "dispensed") == []


@pytest.mark.parametrize("name", ["ListPrescriptions", "ListMyPrescriptions"])
@pytest.mark.parametrize("word", ["unspecified", "Scanned", "lost", "0", "99"])
def test_a_state_that_does_not_exist_is_refused(
    actors: Actors, listings: Mapping[str, Listing], name: str, word: str
) -> None:
    status, _ = actors.rest("GET", with_query(listings[name].wide, status=word), listings[name].owner)
    assert status == 400


def test_page_token_with_states_in_another_order_is_accepted(actors: Actors, listings: Mapping[str, Listing]) -> None:
    listing = listings["ListPrescriptions"]
    one_way = with_query(with_query(listing.wide, status="scanned"), status="cancelled")
    other_way = with_query(with_query(listing.wide, status="cancelled"), status="scanned")
    token = get(actors, listing.owner, with_query(one_way, pageSize=2))["nextPageToken"]
    assert len(get(actors, listing.owner, with_query(other_way, pageToken=token))["prescriptions"]) == COUNT - 2


def test_a_token_of_rest_goes_on_over_grpc(actors: Actors, listings: Mapping[str, Listing]) -> None:
    listing = listings["ListMyPrescriptions"]
    token = first_token(actors, listing)
    request = clinical_service_pb2.ListMyPrescriptionsRequest(page_token=token)
    rest = get(actors, listing.owner, with_query(listing.wide, pageToken=token))
    answer = actors.clinical.ListMyPrescriptions(request, metadata=listing.owner.metadata)
    assert [row.id for row in answer.prescriptions] == [row["id"] for row in rest["prescriptions"]]


def test_what_is_added_meanwhile_moves_no_row_to_another_page(actors: Actors) -> None:
    doctor, patient = actors.new_doctor(), actors.new_patient()
    older = [actors.prescribe(patient.patient_id, doctor=doctor).id for _ in range(3)]
    first = get(actors, doctor, "/doctors/prescriptions?pageSize=2")
    actors.prescribe(patient.patient_id, doctor=doctor)
    second = get(actors, doctor, f"/doctors/prescriptions?pageSize=2&pageToken={first['nextPageToken']}")
    assert [row["id"] for row in first["prescriptions"] + second["prescriptions"]] == older[::-1]
    assert second["totalSize"] == 4


def test_a_list_of_nothing_says_so(actors: Actors) -> None:
    empty = get(actors, actors.new_doctor(), "/doctors/prescriptions")
    assert empty == {"prescriptions": [], "nextPageToken": "", "totalSize": 0, "totalSizeIsMinimum": False}


def walk(actors: Actors, listing: Listing, size: int) -> Iterator[dict[str, Any]]:
    """Yields the pages of the wide list."""
    path = with_query(listing.wide, pageSize=size)
    while path:
        page = get(actors, listing.owner, path)
        yield page
        token = page["nextPageToken"]
        path = with_query(listing.wide, pageSize=size, pageToken=token) if token else ""


def first_token(actors: Actors, listing: Listing) -> str:
    """Returns the page token that continues the wide list after its second row."""
    token: str = get(actors, listing.owner, with_query(listing.wide, pageSize=2))["nextPageToken"]
    assert token
    return token


def with_query(path: str, **parameters: Any) -> str:
    """Returns the path with these query parameters added."""
    for name, value in parameters.items():
        path += f"{'&' if '?' in path else '?'}{name}={value}"
    return path


def get(actors: Actors, actor: Actor, path: str) -> dict[str, Any]:
    """Returns the data of a response that must be a success."""
    status, answer = actors.rest("GET", path, actor)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


def id_of(row: Mapping[str, Any]) -> str:
    """Returns the id of the row, of the event in a line of a history, or of a member's account."""
    whole = row.get("visit") or row.get("prescription") or row
    found: str = whole["userId"] if "memberRight" in whole else whole["id"]
    return found


@pytest.mark.parametrize(("path", "role"), [("/doctors/patients", "doctor"), ("/users", "admin")])
def test_search_in_body_returns_the_same_as_in_query(actors: Actors, path: str, role: str) -> None:
    actor, email = getattr(actors, role), actors.new_patient(full_name="Zebediah Quill").email
    by_get = actors.http.get(path, params={"search": email, "pageSize": 1}, headers=actor.headers)
    by_post = actors.http.post(f"{path}/search", json={"search": email, "pageSize": 1}, headers=actor.headers)
    assert (by_get.status_code, by_post.status_code) == (200, 200)
    assert by_get.json() == by_post.json()
    assert by_get.json()["data"]["totalSize"] == 1
    nobody = actors.http.post(f"{path}/search", json={"search": email})
    assert nobody.status_code == 401
    in_the_address = actors.http.post(f"{path}/search", params={"search": email}, json={}, headers=actor.headers)
    assert (in_the_address.status_code, in_the_address.json()["error"]["type"]) == (400, "VALIDATION_FAILED")
