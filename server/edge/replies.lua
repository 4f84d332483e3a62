-- Translates Envoy's local replies into the service's errors: the transcoder's errors about a body or query by their text,
-- all others by their HTTP status.

local replies = {}
replies.__index = replies

local BY_STATUS = {
  [400] = { "MALFORMED_REQUEST", "The request is malformed." },
  [404] = { "ROUTE_UNKNOWN", "There is no such path." },
  [408] = { "REQUEST_TIMEOUT", "The request took too long to arrive." },
  [413] = { "BODY_TOO_LARGE", "The body is larger than 256 KiB." },
  [431] = { "HEADERS_TOO_LARGE", "The headers are too large." },
  [503] = { "UNAVAILABLE", "The service is not available now, please try again later." },
  [504] = { "DEADLINE_EXCEEDED", "The call took too long." },
}
local CLIENT_FAULT = BY_STATUS[400]
local SERVER_FAULT = { "INTERNAL", "Internal error." }

local TYPES = {
  TYPE_BOOL = "must be true or false",
  TYPE_DOUBLE = "must be a number",
  TYPE_INT32 = "must be a whole number of at most nine digits, such as 2",
  TYPE_STRING = "must be a string",
}

local STATUS_OF_STATUS = { [501] = 400 } -- an unknown transfer-encoding is the client's fault

-- Creates the translator for the tables of edge_tables.lua; `json_name` is the function of field_names.lua.
function replies.new(tables, json_name)
  return setmetatable({ enums = tables.enums, json_name = json_name }, replies)
end

-- Returns a path such as `items[0].unit_price` with JSON names: `items[0].unitPrice`.
local function json_path(self, path)
  return (path:gsub("[%w_]+", self.json_name))
end

local function must_be(self, type)
  local words = self.enums[type:match("^type%.googleapis%.com/(.*)%.Word$")] -- see protos/rest_descriptors.py
  if not words then return TYPES[type] or "must be an object" end
  local sorted = {}
  for _, word in pairs(words) do
    if word ~= "unspecified" then sorted[#sorted + 1] = word end
  end
  table.sort(sorted)
  return "must be one of " .. table.concat(sorted, ", ")
end

-- Returns the field of a transcoder error and its message; nil if the error names no field.
local function complaint(self, text)
  local path, type = text:match("^([%w_.%[%]]+): invalid value .* for type (%S+)$")
  if path then return path, must_be(self, type) end
  local twice = text:match("^: invalid value oneof field .* Cannot set '([%w_]+)' for type oneof$")
  if twice then return twice, "must be given once" end
  local scalar = text:match("^[%w_.%[%]]*: invalid value Starting an? .* on a scalar field for type ([%w_]+)$")
  if scalar then return scalar, "must be a single value" end
  local unknown = text:match('^Could not find field "([%w_.-]+)" in the type ')
  if unknown then return unknown, "is not a parameter of this call" end
  return nil
end

local function from_transcoder(self, details, text)
  local path, wrong = complaint(self, text)
  if not path and details:sub(1, 5) == "early" then -- before the body was read
    return { type = "VALIDATION_FAILED", message = "The query parameters are invalid.", status = 400 }
  elseif not path then
    return { type = "MALFORMED_BODY", message = "The body is not a JSON object that this call accepts.", status = 400 }
  end
  local field = json_path(self, path)
  return {
    type = "VALIDATION_FAILED",
    status = 400,
    message = field .. " " .. wrong .. ".",
    details = { { field = field, message = wrong } },
  }
end

-- Returns the problem of a local reply: type, message, status and details. `details` are Envoy's response code details, `text` is
-- Envoy's message.
function replies:problem(status, details, text)
  status = STATUS_OF_STATUS[status] or status
  if status == 400 and details:find("grpc_json_transcode_failure", 1, true) then return from_transcoder(self, details, text) end
  local entry = BY_STATUS[status] or (status < 500 and CLIENT_FAULT or SERVER_FAULT)
  return { type = entry[1], message = entry[2], status = status }
end

return replies
