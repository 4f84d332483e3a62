"""S64 and S65 from outside, on a whole instance under the contract's limits: which calls count, and the replies."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from server.api.interceptors.refresh_cookie import HEADER
from tests.fixtures.actors import new_email
from tests.fixtures.instance import ADMIN_EMAIL, ADMIN_PASSWORD, RunningInstance, running_instance
from tests.fixtures.proofs import control

FORGED = ("x-client-ip", "x-forwarded-for", "x-real-ip", "x-envoy-external-address")


@pytest.fixture(scope="module")
def strict(shared_database_url: str) -> Iterator[RunningInstance]:
    """Yields an instance under the contract's limits; REST is called through one proxy that names the caller."""
    with running_instance(shared_database_url, rate_limit_factor=1, trusted_proxies=1) as running:
        yield running


def wrong() -> dict[str, str]:
    """Sends a sign-in that fails, of another account each time, because tries at one account are delayed."""
    return {"email": new_email(), "password": "a wrong password"}


def sign_in(rest: httpx.Client, **headers: str) -> httpx.Response:
    return rest.post(
        "/auth/login", json=wrong(), headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


@pytest.fixture
def rest(strict: RunningInstance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{strict.rest}/api/v1", timeout=30) as client:
        yield client


@control("S65")
def test_forged_address_per_sign_in_does_not_help(rest: httpx.Client) -> None:
    answers = []
    for number in range(20):
        forged = f"192.0.2.{number}"
        headers = {**dict.fromkeys(FORGED, forged), "forwarded": f"for={forged}"}
        headers["x-forwarded-for"] = f"{forged}, 203.0.113.7"  # the proxy appends the address that it sees
        answers.append(rest.post("/auth/login", json=wrong(), headers=headers))
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 15
    told = [(answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) for answer in answers[:6]]
    assert told == [("5", str(left)) for left in (4, 3, 2, 1, 0, 0)]
    error = answers[-1].json()["error"]
    assert (error["type"], error["statusCode"]) == ("RATE_LIMIT_EXCEEDED", 429)
    assert error["message"] == "Too many requests, please try again later."
    assert 170 <= int(answers[-1].headers["retry-after"]) <= 181
    assert sign_in(rest, x_forwarded_for="203.0.113.8").status_code == 401


@control("S65")
def test_addresses_of_one_ipv6_network_are_one_caller(rest: httpx.Client) -> None:
    codes = [sign_in(rest, x_forwarded_for=f"2001:db8:1:2::{number:x}").status_code for number in range(100)]
    assert codes == [401] * 5 + [429] * 95
    assert sign_in(rest, x_forwarded_for="2001:db8:1:3::1").status_code == 401


@control("S64")
def test_request_still_uploading_is_refused_like_others(rest: httpx.Client) -> None:
    headers = {"x-forwarded-for": "203.0.113.12"}
    for _ in range(5):
        rest.post("/auth/login", json=wrong(), headers=headers)
    answer = rest.post("/auth/login", json={**wrong(), "password": "x" * 250_000}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert 170 <= int(answer.headers["retry-after"]) <= 181
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("5", "0")


@control("S65")
def test_a_direct_caller_is_who_connects_whatever_he_writes(strict: RunningInstance, rest: httpx.Client) -> None:
    codes = []
    with grpc.insecure_channel(strict.grpc) as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        for number in range(20):
            metadata = tuple((name, f"203.0.113.{number}") for name in FORGED)
            with pytest.raises(grpc.RpcError) as refused:
                stub.Login(auth_service_pb2.LoginRequest(**wrong()), metadata=metadata)
            codes.append(refused.value.code())
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 5 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 15
    assert sign_in(rest, x_forwarded_for="127.0.0.1").status_code == 429  # one caller on both faces


@control("S64")
def test_session_refreshes_do_not_charge_the_address(strict: RunningInstance, rest: httpx.Client) -> None:
    headers = {"x-forwarded-for": "203.0.113.9"}

    def refresh(token: str) -> httpx.Response:
        return rest.post("/auth/refresh", json={"refreshToken": token}, headers=headers)

    signed_in = strict.run(strict.services.sessions.login(ADMIN_EMAIL, ADMIN_PASSWORD))
    token, told = signed_in.tokens.refresh_token, []
    for _ in range(10):
        answer = refresh(token)
        token = answer.json()["data"]["refreshToken"]
        told.append((answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]))
    assert told == [("10", str(left)) for left in reversed(range(10))]
    refused = refresh(token)
    assert (refused.status_code, refused.headers["x-ratelimit-limit"]) == (429, "10")
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    unknown = [refresh(f"unknown-{number}") for number in range(11)]
    assert [answer.status_code for answer in unknown] == [401] * 10 + [429]
    assert unknown[0].headers["x-ratelimit-remaining"] == "9"  # the refreshes above were not charged to the address


@control("S64")
def test_a_token_in_a_cookie_is_charged_like_one_in_a_body(strict: RunningInstance) -> None:
    headers = {"x-forwarded-for": "203.0.113.10", HEADER: "true"}
    with httpx.Client(base_url=f"{strict.rest}/api/v1", timeout=30, headers=headers) as browser:
        credentials = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        browser.post("/auth/login", json=credentials, headers={"x-forwarded-for": "203.0.113.11"})
        told = [browser.post("/auth/refresh") for _ in range(11)]
        assert [answer.status_code for answer in told] == [200] * 10 + [429]
        assert [answer.headers["x-ratelimit-limit"] for answer in told] == ["10"] * 11
        assert "set-cookie" not in told[-1].headers
        browser.cookies.clear()
        without = [browser.post("/auth/refresh") for _ in range(11)]
    assert [answer.status_code for answer in without] == [401] * 10 + [429]
    assert without[0].headers["x-ratelimit-remaining"] == "9"
