-- The Lua filter that gives REST its form. Native gRPC and gRPC-Web pass unchanged.
--
-- Requests: rejects oversized requests, unknown paths, wrong methods and bodies that are not JSON.
-- Responses: puts the transcoder's JSON into the envelope and its google.rpc.Status into the error format. Enum words come
-- from the transcoder itself (protos/rest_descriptors.py), so the JSON of a success is not parsed here.
--
-- Danger: `body()` invalidates header objects. Fetch them again afterwards, or the script fails (counter lua.errors).

local tables = require("edge_tables")
local json_name = require("field_names").new(tables.json_names)
local cleared_fields = require("cleared_fields")
local drain = require("drain")
local errors = require("errors")
local json = require("json")
local limits = require("limits")
local media_types = require("media_types")
local percent_encoding = require("percent_encoding")
local replies = require("replies").new(tables, json_name)
local routes = require("routes").new(tables.routes)
local strict_json = require("strict_json").new(json_name)

local envelope = {}

local METADATA = "medconnect"
local JSON = "application/json" -- the transcoder's content type
local JSON_OUT = "application/json; charset=utf-8" -- the edge's content type
local REPLY_HEADER = "x-local-reply" -- marks Envoy's local replies (envoy.yaml); the value holds the response code details
local SPARE_ID_HEADER = "x-spare-request-id" -- the id of a local reply to a request that had no id yet
local TYPE_HEADER = "x-error-type" -- the error type of a call that this filter rejected
local INTERNAL_HEADERS = { "grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding" }
local API = "/api/"
-- gRPC codes by error type for gRPC calls that this filter rejects; Envoy would map most of them to UNKNOWN.
local GRPC_CODES = { ROUTE_UNKNOWN = "12" }
local RESOURCE_EXHAUSTED = "8"
local BYTE_ORDER_MARK = "\239\187\191" -- U+FEFF in UTF-8; RFC 8259, section 8.1, lets readers ignore it

-- Rejects a call with a local reply, which `on_response` formats.
local function refuse(handle, status, type, message, more_headers)
  local headers = more_headers or {}
  headers[":status"], headers[TYPE_HEADER] = tostring(status), type
  handle:respond(headers, message)
end

local function refuse_method(handle, methods)
  local allowed = {}
  for method in pairs(methods) do
    allowed[#allowed + 1] = method
  end
  table.sort(allowed)
  local allow = table.concat(allowed, ", ")
  refuse(handle, 405, "METHOD_NOT_ALLOWED", "This path takes only " .. allow .. ".", { allow = allow })
end

local function refuse_too_large(handle)
  refuse(handle, 413, "BODY_TOO_LARGE", "The body is larger than 256 KiB.")
end

-- Rejects a call because of one field, which the error's details name.
local function refuse_field(handle, type, message, field, fault)
  local known = handle:streamInfo():dynamicMetadata()
  known:set(METADATA, "field", field)
  known:set(METADATA, "fault", fault)
  refuse(handle, 400, type, message)
end

-- Returns true if a body may follow that is not declared as JSON. A call without a body needs no content type.
local function has_foreign_body(headers, takes_body)
  local content_type, length = headers:get("content-type"), headers:get("content-length")
  if content_type and media_types.is_json(content_type) then return false end
  local has_body = (length ~= nil and length ~= "0") or headers:get("transfer-encoding") ~= nil
  return has_body or (takes_body and content_type ~= nil and length == nil)
end

-- Returns true if the body is compressed (RFC 9110, section 8.4).
local function is_encoded(headers)
  local encoding = headers:get("content-encoding")
  return encoding ~= nil and encoding:lower() ~= "identity"
end

local function refuse_encoded(handle)
  local accepted = { ["accept-encoding"] = "identity" }
  refuse(handle, 415, "UNSUPPORTED_MEDIA_TYPE", "The body must not be compressed.", accepted)
end

-- Returns the text of a body without a byte order mark.
local function read_text(body)
  local text = body:getBytes(0, body:length())
  return text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK and text:sub(#BYTE_ORDER_MARK + 1) or text
end

-- Replaces a body unless it is this text already. Invalidates header objects that were fetched before.
local function set_text(handle, body, text)
  if body:length() == #text then return end -- neither removing the mark nor adding names keeps the length
  body:setBytes(text)
  local headers = handle:headers()
  if headers:get("content-length") then headers:replace("content-length", tostring(#text)) end
end

-- Rejects a body that the strict reader does not accept.
local function refuse_body(handle, fault)
  if fault.is_refused then
    local field = fault.field or "A name"
    return refuse_field(handle, "VALIDATION_FAILED", field .. " " .. fault.message .. ".", fault.field, fault.message)
  end
  local message = "The body is not valid JSON (" .. fault.place .. "): " .. fault.message .. "."
  refuse_field(handle, "MALFORMED_BODY", message, fault.field, fault.place .. ": " .. fault.message)
end

-- Returns true if a body came in chunks over HTTP/1.0, which has none: a proxy may have framed it otherwise (RFC 9112, section
-- 6.1). Envoy removes transfer-encoding before this filter.
local function has_faulty_framing(handle)
  return not handle:headers():get("content-length") and handle:streamInfo():protocol() == "HTTP/1.0"
end

-- Checks the body of a call. Invalidates header objects that were fetched before.
local function read_body(handle, route)
  local body = handle:body()
  if drain.is_too_large(handle) then return refuse_too_large(handle) end
  if not body or body:length() == 0 then return end
  if not route.takes_body then return refuse(handle, 400, "MALFORMED_REQUEST", "This call takes no body.") end
  if has_faulty_framing(handle) then
    local closing = { connection = "close" }
    return refuse(handle, 400, "MALFORMED_REQUEST", "HTTP/1.0 has no chunked bodies.", closing)
  end
  local text = read_text(body)
  local fault = strict_json:fault(text, tables.fields[route.request])
  if fault then return refuse_body(handle, fault) end
  if route.clearable then text = cleared_fields.added(text, route.clearable, json_name) end
  set_text(handle, body, text)
end

-- Returns the route numbers of a path by method. If only the path without its trailing slash has any, the request continues
-- with that path, and Envoy chooses its own route again.
local function find_methods(handle, headers, path, query)
  local methods = routes:find(path)
  local shorter = path:match("^(.+)/$")
  if next(methods) ~= nil or not shorter then return methods end
  methods = routes:find(shorter)
  if next(methods) ~= nil then
    headers:replace(":path", query == "" and shorter or shorter .. "?" .. query)
    handle:clearRouteCache()
  end
  return methods
end

-- Rejects REST calls whose headers are already invalid; returns the route number of other calls.
local function find_route(handle, headers, path, query)
  local methods = find_methods(handle, headers, path, query)
  if next(methods) == nil then return refuse(handle, 404, "ROUTE_UNKNOWN", "There is no such path.") end
  local number = methods[headers:get(":method")]
  if not number then return refuse_method(handle, methods) end
  local route = tables.routes[number]
  if has_foreign_body(headers, route.takes_body) then
    return refuse(handle, 415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")
  end
  if route.takes_body and is_encoded(headers) then return refuse_encoded(handle) end
  local problem = routes.query_problem(route, query)
  if problem then return refuse(handle, 400, "VALIDATION_FAILED", problem) end
  return number
end

function envelope.on_request(handle)
  local headers = handle:headers()
  local whole_path = headers:get(":path") or "" -- CONNECT has none
  local status, type, message = limits.problem(headers, whole_path)
  if status then return refuse(handle, status, type, message) end
  if headers:get(":authority"):find(",", 1, true) then -- two Host headers, which Envoy joins
    return refuse(handle, 400, "MALFORMED_REQUEST", "The request names two hosts.")
  end
  if media_types.is_grpc(headers:get("content-type") or "") then
    if whole_path:sub(1, #API) ~= API then return end
    return refuse(handle, 404, "ROUTE_UNKNOWN", "There is no such method.")
  end
  if drain.is_too_large(handle) then return read_body(handle) end
  local path, query = whole_path:match("^([^?]*)%??(.*)$")
  local number = find_route(handle, headers, path, query)
  if not number then return end
  local route = tables.routes[number]
  local known = handle:streamInfo():dynamicMetadata()
  known:set(METADATA, "route", number)
  known:set(METADATA, "request_id", headers:get("x-request-id") or "")
  read_body(handle, route)
end

-- Wraps a response in the success envelope; a response without a message (a key set) is returned unchanged.
local function wrap(text, message)
  if not message then return text end
  return '{"success":true,"message":' .. json.quote(percent_encoding.decode(message)) .. ',"data":' .. text .. "}"
end

local function take(headers, name)
  local value = headers:get(name)
  if value then headers:remove(name) end
  return value
end

-- Returns the response's request id; a response without one gets `spare`.
local function request_id_of(headers, spare)
  local request_id = headers:get("x-request-id")
  if request_id then return request_id end
  headers:add("x-request-id", spare)
  return spare
end

-- Replaces the body and status by the results of `edit`. Invalidates header objects that were fetched before.
local function replace_body(handle, edit)
  local body = handle:body()
  if not body then -- HEAD: bytes written now would corrupt the next response on the connection
    handle:headers():remove("content-length")
    return
  end
  local text, status = edit(body:getBytes(0, body:length()))
  local length = body:setBytes(text)
  local headers = handle:headers()
  headers:replace(":status", tostring(status))
  headers:replace("content-length", tostring(length))
end

-- Returns the problem that `refuse` or `refuse_field` recorded.
local function recorded_problem(handle, type, message, status)
  local known = handle:streamInfo():dynamicMetadata():get(METADATA)
  local details = known and known.field and { { field = known.field, message = known.fault } }
  return { message = message, type = type, status = status, details = details }
end

-- Names the error type of a local reply for Envoy's access log (envoy.yaml).
local function note_reason(handle, type)
  handle:streamInfo():dynamicMetadata():set(METADATA, "reason", type)
end

local function shape_local_reply(handle, headers, status, details)
  local request_id = request_id_of(headers, take(headers, SPARE_ID_HEADER))
  local type = take(headers, TYPE_HEADER)
  headers:replace("content-type", JSON_OUT)
  replace_body(handle, function(text)
    text = text:gsub("\n$", "")
    local problem = type and recorded_problem(handle, type, text, status) or replies:problem(status, details, text)
    problem.request_id = request_id
    note_reason(handle, problem.type)
    return errors.write(problem), problem.status
  end)
end

local function shape_answer(handle, headers, status, known)
  local message, code = take(headers, "x-message"), take(headers, "x-http-code")
  local request_id = request_id_of(headers, known.request_id)
  for _, name in ipairs(INTERNAL_HEADERS) do
    headers:remove(name)
  end
  if headers:get("content-type") ~= JSON then return end
  headers:replace("content-type", JSON_OUT)
  replace_body(handle, function(text)
    if status == 200 then return wrap(text, message), code or status end
    local problem = errors.from_status(text, status, request_id, tables.enums)
    return errors.write(problem), problem.status
  end)
end

function envelope.on_response(handle)
  local headers = handle:headers()
  local status = tonumber(headers:get(":status"))
  local details = take(headers, REPLY_HEADER)
  if details then return shape_local_reply(handle, headers, status, details) end
  local type = take(headers, TYPE_HEADER) -- an unmarked local reply: to gRPC, or to gRPC-Web, whose filter chooses the code
  if type then
    note_reason(handle, type)
    return headers:replace("grpc-status", GRPC_CODES[type] or RESOURCE_EXHAUSTED)
  end
  if media_types.is_grpc(headers:get("content-type") or "") then return end
  local known = handle:streamInfo():dynamicMetadata():get(METADATA)
  if known then shape_answer(handle, headers, status, known) end
end

return envelope
