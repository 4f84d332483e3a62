-- The filter: what REST callers see of the gRPC server. Native gRPC and gRPC-Web pass untouched.
--
-- Requests: unknown paths, wrong methods and bodies that are no JSON are refused here; enum words become enum names.
-- Answers: the transcoder's JSON gets the envelope, its google.rpc.Status the error shape; enum names become words.
--
-- A danger: header objects die at `body()`. Fetch them anew behind it, or the script ends with an error (counter lua.errors).

local tables = require("edge_tables")
local enums = require("enums").new(tables)
local errors = require("errors")
local json = require("json")
local replies = require("replies").new(tables)
local routes = require("routes").new(tables.routes)

local envelope = {}

local METADATA = "medconnect"
local JSON = "application/json" -- what the transcoder writes
local EVENTS = "text/event-stream"
local JSON_OUT = "application/json; charset=utf-8" -- what the edge writes
local REPLY_HEADER = "x-local-reply" -- envoy.yaml marks Envoy's own replies with it; the value tells what happened
local SPARE_ID_HEADER = "x-spare-request-id" -- an id for a reply that was given before the request had one
local TYPE_HEADER = "x-error-type" -- the type of a call that was refused here
local INTERNAL_HEADERS = { "grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding" }

local function is_grpc(content_type)
  return content_type:sub(1, 16) == "application/grpc"
end

local function is_json(content_type)
  return content_type:lower():match("^%s*([^;%s]*)") == JSON
end

-- Refuse a call. It becomes a local reply of Envoy's, which `on_response` brings into shape.
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

-- Whether a body may follow that is not declared to be JSON. A call without a body needs no content type.
local function has_foreign_body(headers)
  local content_type = headers:get("content-type")
  if content_type then return not is_json(content_type) and headers:get("content-length") ~= "0" end
  local length = headers:get("content-length")
  return (length ~= nil and length ~= "0") or headers:get("transfer-encoding") ~= nil
end

-- Why a query is refused that the transcoder would take: a parameter that stands in the path would win over the path.
local function query_problem(route, query)
  if query == "" then return nil end
  if route.takes_body then return "This call takes no query parameters." end
  for parameter in query:gmatch("[^&]+") do
    local name = enums.decode_parameter(parameter:match("^[^=]*"))
    if route.in_path and route.in_path[name] then return name .. " stands in the path." end
  end
  return nil
end

local function lengthen_body(handle, message)
  local body = handle:body()
  if not body then return end
  local text = body:getBytes(0, body:length())
  local longer = enums:lengthen(text, message)
  if longer == text then return end
  local length = body:setBytes(longer)
  handle:headers():replace("content-length", tostring(length))
end

function envelope.on_request(handle)
  local headers = handle:headers()
  if is_grpc(headers:get("content-type") or "") then return end
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local methods = routes:find(path)
  if next(methods) == nil then return refuse(handle, 404, "ROUTE_UNKNOWN", "There is no such path.") end
  local number = methods[headers:get(":method")]
  if not number then return refuse_method(handle, methods) end
  local route = tables.routes[number]
  if route.takes_body and has_foreign_body(headers) then
    return refuse(handle, 415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")
  end
  local problem = query_problem(route, query)
  if problem then return refuse(handle, 400, "VALIDATION_FAILED", problem) end
  local known = handle:streamInfo():dynamicMetadata()
  known:set(METADATA, "route", number)
  known:set(METADATA, "request_id", headers:get("x-request-id") or "")
  if route.query and query ~= "" then
    headers:replace(":path", path .. "?" .. enums:lengthen_query(query, route.query))
  end
  if route.body then lengthen_body(handle, route.body) end
end

local function percent_decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- The success envelope; an answer without a message (a key set) goes out as it is.
local function wrap(text, message)
  if not message then return text end
  return '{"success":true,"message":' .. json.quote(percent_decode(message)) .. ',"data":' .. text .. "}"
end

local function take(headers, name)
  local value = headers:get(name)
  if value then headers:remove(name) end
  return value
end

-- The answer's request id; an answer without one gets `spare`.
local function request_id_of(headers, spare)
  local request_id = headers:get("x-request-id")
  if request_id then return request_id end
  headers:add("x-request-id", spare)
  return spare
end

-- Replace the body by what `edit` makes of it; that also answers the status. Header objects got before are dead behind this.
local function replace_body(handle, edit)
  local body = handle:body()
  if not body then -- HEAD: bytes written now would begin the next answer on the connection
    handle:headers():remove("content-length")
    return
  end
  local text, status = edit(body:getBytes(0, body:length()))
  local length = body:setBytes(text)
  local headers = handle:headers()
  headers:replace(":status", tostring(status))
  headers:replace("content-length", tostring(length))
end

local function shape_local_reply(handle, headers, status, details)
  local request_id = request_id_of(headers, take(headers, SPARE_ID_HEADER))
  local type = take(headers, TYPE_HEADER)
  headers:replace("content-type", JSON_OUT)
  replace_body(handle, function(text)
    text = text:gsub("\n$", "")
    local problem = type and { message = text, type = type } or replies:problem(status, details, text)
    problem.status, problem.request_id = status, request_id
    return errors.write(problem), status
  end)
end

-- The transcoder hands on whole events, one or several at a time.
local function shape_events(handle, message)
  for chunk in handle:bodyChunks() do
    chunk:setBytes(enums:shorten_events(chunk:getBytes(0, chunk:length()), message))
  end
end

local function shape_answer(handle, headers, status, known)
  local message, code = take(headers, "x-message"), take(headers, "x-http-code")
  local request_id = request_id_of(headers, known.request_id)
  for _, name in ipairs(INTERNAL_HEADERS) do
    headers:remove(name)
  end
  local content_type, answer = headers:get("content-type"), tables.routes[known.route].answer
  if content_type == EVENTS and answer then return shape_events(handle, answer) end
  if content_type ~= JSON then return end
  headers:replace("content-type", JSON_OUT)
  replace_body(handle, function(text)
    if status == 200 then return wrap(enums:shorten(text, answer), message), code or status end
    local problem = errors.from_status(text, status, request_id, enums)
    return errors.write(problem), problem.status
  end)
end

function envelope.on_response(handle)
  local headers = handle:headers()
  if is_grpc(headers:get("content-type") or "") then return end
  local status = tonumber(headers:get(":status"))
  local details = take(headers, REPLY_HEADER)
  if details then return shape_local_reply(handle, headers, status, details) end
  local known = handle:streamInfo():dynamicMetadata():get(METADATA)
  if known then shape_answer(handle, headers, status, known) end
end

return envelope
