"""Headers that HTTP allows and gRPC does not: REST calls ignore them without harm."""

import pytest

from tests.edge.conftest import Stand
from tests.fixtures.cells import cells

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", ["!", "x!", "x^y", "x&y", "x'y", "x~y", "^x", "a|b", "1#2", "$-x", "`"])
async def test_header_name_invalid_in_grpc_does_not_reach_server(stand: Stand, name: str) -> None:
    response = await stand.rest.get("/api/v1/auth/profile", headers={name: "1", "x-kept.1": "2"})
    assert response.status_code == 200
    assert name not in stand.toy.seen.metadata
    assert stand.toy.seen.metadata["x-kept.1"] == "2"


@cells(
    ("name", "text"),
    [
        *(("x-data-bin", "!!!"), ("x-data-bin", "YQ=="), ("grpc-timeout", "xx"), ("grpc-timeout", "1n")),
        *(("grpc-encoding", "zz"), ("grpc-previous-rpc-attempts", "a"), ("grpc-retry-pushback-ms", "x")),
        *(("grpc-server-stats-bin", "a"), ("lb-cost-bin", "a"), ("grpc-status", "3")),
    ],
)
@cells("path", ["/api/v1/auth/profile", "/api/v1/events/email-queue/status/stream"])
async def test_what_grpc_reads_itself_is_not_for_rest_callers_to_say(
    stand: Stand, path: str, name: str, text: str
) -> None:
    headers = {name: text, "authorization": "Bearer x"}
    async with stand.rest.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
    assert text not in stand.toy.seen.metadata.values()
