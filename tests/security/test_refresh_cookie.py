"""A browser's refresh token: an opt-in cookie that no script reads and no other site can use."""

from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from medconnect.auth.v1 import auth_service_pb2 as pb
from medconnect.auth.v1 import user_pb2
from medconnect.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from medconnect.options.v1 import access_pb2

from server.api.interceptors.refresh_cookie import COOKIE, HEADER, HOST_COOKIE, RefreshCookie
from tests.fixtures.actors import PASSWORD, Actor, Actors, new_email
from tests.fixtures.proofs import control

ASKING = {HEADER: "true"}
ORIGIN = "http://localhost:3000"
OLD, NEW = "o" * 43, "n" * 43
"""Two refresh tokens."""


@pytest.fixture
def browser(actors: Actors) -> Iterator[httpx.Client]:
    """Yields a client without a cookie store, so that each test chooses the cookies that it sends."""
    with httpx.Client(base_url=f"{actors.instance.rest}/api/v1/auth", timeout=30) as client:
        yield client


@pytest.fixture
def patient(actors: Actors) -> Actor:
    return actors.new_patient()


def login(browser: httpx.Client, actor: Actor, **headers: str) -> httpx.Response:
    body = {"email": actor.email, "password": PASSWORD}
    return fresh(browser, browser.post("/login", json=body, headers={**ASKING, **headers}))


def refresh(browser: httpx.Client, cookie: str, headers: dict[str, str] = ASKING, body: Any = None) -> httpx.Response:
    return fresh(browser, browser.post("/refresh", json=body or {}, headers={**headers, "cookie": cookie}))


def fresh(browser: httpx.Client, response: httpx.Response) -> httpx.Response:
    browser.cookies.clear()
    return response


def morsel(response: httpx.Response) -> Morsel[str]:
    """Returns the one cookie that an answer sets."""
    [written] = response.headers.get_list("set-cookie")
    cookies: SimpleCookie = SimpleCookie(written)
    assert set(cookies) == {COOKIE}
    return cookies[COOKIE]


def held(response: httpx.Response) -> str:
    """Returns the cookie as browsers send it back."""
    return f"{COOKIE}={morsel(response).value}"


def assert_deleted(response: httpx.Response) -> None:
    assert (morsel(response).value, morsel(response)["max-age"], morsel(response)["path"]) == ("", "0", "/api/v1/auth")


@control("S81")
def test_the_token_is_in_the_cookie_and_in_no_body(browser: httpx.Client, patient: Actor) -> None:
    registration = {"email": new_email(), "password": PASSWORD, "fullName": "Rita Registers"}
    registered = fresh(browser, browser.post("/register", json=registration, headers=ASKING))
    signed_in = login(browser, patient)
    renewed = refresh(browser, held(signed_in))
    assert [answer.status_code for answer in (registered, signed_in, renewed)] == [201, 200, 200]
    tokens = {morsel(answer).value for answer in (registered, signed_in, renewed)}
    assert {len(token) for token in tokens} == {43}
    assert len(tokens) == 3
    for answer in (registered, signed_in, renewed):
        assert answer.json()["data"]["refreshToken"] == ""
        assert answer.json()["data"]["accessToken"]
        assert not [token for token in tokens if token in answer.text]


@control("S81")
def test_cookie_is_hidden_from_scripts_and_other_sites(browser: httpx.Client, actors: Actors) -> None:
    for actor, hours in ((actors.new_patient(), 24.0), (actors.doctor, 0.5)):
        cookie = morsel(login(browser, actor))
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/api/v1/auth")
        assert (cookie["max-age"], cookie["domain"], cookie["secure"]) == (str(int(hours * 3600)), "", "")


async def answered(method: str, *cookies: str, secure: bool = True) -> Any:
    """Returns a call of the page after the interceptor, with a handler that returns the token NEW."""
    call: Any = SimpleNamespace(
        rest=True,
        first=lambda _: "true",
        values=lambda _: list(cookies),
        headers={},
        cookies=[],
        body=b"",
        reply=None,
        method=SimpleNamespace(path=f"/medconnect.auth.v1.AuthService/{method}"),
    )

    async def proceed(_: Any) -> None:
        assert not call.cookies, "nothing is deleted before the session has ended"
        if method == "RefreshToken":
            user = user_pb2.User(role=access_pb2.ROLE_PATIENT)
            call.reply = pb.RefreshTokenResponse(user=user, refresh_token=NEW).SerializeToString()

    await RefreshCookie(secure=secure).intercept(call, proceed)
    return call


@control("S81")
async def test_over_tls_it_is_this_hosts_alone() -> None:
    [cookie] = (await answered("Logout")).cookies
    assert cookie == f"{HOST_COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert HOST_COOKIE.startswith("__Host-")


@control("S81")
async def test_without_tls_it_has_no_prefix_that_would_need_it() -> None:
    [cookie] = (await answered("Logout", secure=False)).cookies
    assert cookie == f"{COOKIE}=; Max-Age=0; Path=/api/v1/auth; HttpOnly; SameSite=Strict"


@control("S81")
async def test_session_of_former_cookie_name_continues() -> None:
    call = await answered("RefreshToken", f"{COOKIE}={OLD}")
    assert pb.RefreshTokenRequest.FromString(call.body).refresh_token == OLD
    written, deleted = call.cookies
    assert written.startswith(f"{HOST_COOKIE}={NEW}; ")
    assert deleted == f"{COOKIE}=; Max-Age=0; Path=/api/v1/auth; HttpOnly; SameSite=Strict; Secure"


@control("S81")
async def test_planted_cookie_of_former_name_is_ignored() -> None:
    call = await answered("RefreshToken", f"{COOKIE}={'P' * 43}; {HOST_COOKIE}={OLD}")
    assert pb.RefreshTokenRequest.FromString(call.body).refresh_token == OLD


@control("S81")
async def test_signing_out_clears_the_origins_browser_data() -> None:
    assert (await answered("Logout")).headers["clear-site-data"] == '"cache", "storage"'
    assert "clear-site-data" not in (await answered("RefreshToken", f"{COOKIE}={OLD}")).headers


@control("S81")
def test_page_stays_signed_in_by_the_cookie_alone(browser: httpx.Client, patient: Actor) -> None:
    answer = login(browser, patient)
    for _ in range(3):
        answer = refresh(browser, held(answer))
        bearer = {"authorization": f"Bearer {answer.json()['data']['accessToken']}"}
        assert browser.get("/profile", headers=bearer).json()["data"]["user"]["email"] == patient.email


@control("S81")
@pytest.mark.parametrize("headers", [{}, {HEADER: "false"}, {HEADER: "TRUE"}, {HEADER: "1"}, {HEADER: "true, true"}])
def test_cookies_are_unused_without_the_header(browser: httpx.Client, patient: Actor, headers: dict[str, str]) -> None:
    cookie = held(login(browser, patient))
    ignored = refresh(browser, cookie, headers)
    assert (ignored.status_code, ignored.json()["error"]["type"]) == (400, "VALIDATION_FAILED")
    body = {"email": patient.email, "password": PASSWORD}
    plain = browser.post("/login", json=body, headers={**headers, "cookie": cookie})
    assert len(plain.json()["data"]["refreshToken"]) == 43
    assert not [answer for answer in (ignored, plain) if "set-cookie" in answer.headers]
    assert refresh(browser, cookie).status_code == 200, "the token was not used up"


@control("S81")
def test_other_origins_may_not_send_the_header(browser: httpx.Client) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": HEADER}
    preflight = browser.options("/refresh", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert HEADER not in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    assert "set-cookie" not in preflight.headers["access-control-expose-headers"]


@control("S81")
@pytest.mark.parametrize(
    "cookie",
    [
        "",
        f"{COOKIE}=",
        f"{COOKIE}={'A' * 43}",
        f"{COOKIE}=x; {COOKIE}=y",
        f"{COOKIE}={'x' * 5000}",
        f'{COOKIE}="\\"',
        "; =",
    ],
)
def test_a_cookie_that_opens_nothing_is_refused_and_deleted(browser: httpx.Client, cookie: str) -> None:
    refused = refresh(browser, cookie)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "REFRESH_TOKEN_INVALID")
    assert_deleted(refused)


@control("S81")
def test_of_two_cookies_of_that_name_none_counts(browser: httpx.Client, patient: Actor) -> None:
    cookie = held(login(browser, patient))
    assert refresh(browser, f"{cookie}; {COOKIE}=planted").status_code == 401
    assert refresh(browser, f"theme=dark; {cookie}; x={cookie}").status_code == 200


@control("S81")
def test_signing_out_deletes_and_revokes_the_cookie(browser: httpx.Client, patient: Actor) -> None:
    signed_in = login(browser, patient)
    bearer = {"authorization": f"Bearer {signed_in.json()['data']['accessToken']}"}
    assert "set-cookie" not in browser.get("/profile", headers={**ASKING, **bearer}).headers
    signed_out = fresh(browser, browser.post("/logout", json={}, headers={**ASKING, **bearer}))
    assert_deleted(signed_out)
    assert signed_out.headers["clear-site-data"] == '"cache", "storage"'
    assert refresh(browser, held(signed_in)).status_code == 401


def test_a_token_in_the_body_goes_before_the_cookies(browser: httpx.Client, patient: Actor) -> None:
    other = held(login(browser, patient))
    token = login(browser, patient, **{HEADER: "no"}).json()["data"]["refreshToken"]
    renewed = refresh(browser, other, body={"refreshToken": token})
    assert renewed.status_code == 200
    assert refresh(browser, other).status_code == 200, "the cookie's own token was not used up"


def test_a_wrong_password_leaves_the_cookie_alone(browser: httpx.Client, patient: Actor) -> None:
    refused = browser.post("/login", json={"email": patient.email, "password": "wrong"}, headers=ASKING)
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers


@control("S81")
def test_native_grpc_and_grpc_web_know_no_cookies(actors: Actors, browser: httpx.Client, patient: Actor) -> None:
    cookie = held(login(browser, patient))
    metadata = ((HEADER, "true"), ("cookie", cookie), ("x-envoy-original-path", "/api/v1/auth/refresh"))
    for target in (actors.instance.grpc, actors.instance.rest.removeprefix("http://")):
        with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as refused:
            AuthServiceStub(channel).RefreshToken(pb.RefreshTokenRequest(), metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    web = {**ASKING, "cookie": cookie, "content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    answer = httpx.post(
        f"{actors.instance.rest}/medconnect.auth.v1.AuthService/RefreshToken", content=bytes(5), headers=web
    )
    assert answer.headers["grpc-status"] == "3"
    assert refresh(browser, cookie).status_code == 200
