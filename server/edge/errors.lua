-- The error format of REST: {"success": false, "error": {"message", "statusCode", "type", "requestId", "details", …}}.

local json = require("json")

local errors = {}

local CODE_NAMES = {
  "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
  "UNAUTHENTICATED",
}
local STATUS_OF_REASON = { BODY_TOO_LARGE = 413 } -- RESOURCE_EXHAUSTED is 429 otherwise
local RESERVED = { message = true, statusCode = true, type = true, requestId = true, details = true }
local ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
local BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
local STATES = "medconnect.clinical.v1.PrescriptionStatus"

-- Metadata values are strings in gRPC; these are booleans and numbers in REST.
local function boolean(value)
  return value == "true" and "true" or "false"
end
local function number(value)
  return tonumber(value) and value or json.quote(value)
end
local WRITERS = { requiresOtp = boolean, version = number }

-- Returns the JSON of an error. `details` is a list of {field=, message=}, `members` maps further names to JSON texts.
function errors.write(problem)
  local details, more = {}, {}
  for index, detail in ipairs(problem.details or {}) do
    details[index] = '{"field":' .. json.quote(detail.field) .. ',"message":' .. json.quote(detail.message) .. "}"
  end
  for name, text in pairs(problem.members or {}) do
    if not RESERVED[name] then more[#more + 1] = "," .. json.quote(name) .. ":" .. text end
  end
  table.sort(more)
  return table.concat({
    '{"success":false,"error":{"message":', json.quote(problem.message),
    ',"statusCode":', tostring(problem.status),
    ',"type":', json.quote(problem.type),
    ',"requestId":', json.quote(problem.request_id),
    ',"details":[', table.concat(details, ","), "]", table.concat(more), "}}",
  })
end

-- Rejections by gRPC itself have no ErrorInfo and only technical messages: headers or concurrent calls above their limit.
local function say_for_grpc(problem, words)
  problem.message = "The service cannot process this call."
  if problem.status ~= 429 then return end
  if words:find("metadata size", 1, true) then
    problem.status, problem.type, problem.message = 431, "HEADERS_TOO_LARGE", "The headers are too large."
  else
    problem.status, problem.type, problem.message = 503, "SERVER_BUSY", "The service is busy."
  end
end

-- Converts the google.rpc.Status of a failure, which the transcoder wrote as JSON. `enums` holds the words of each enum's names.
function errors.from_status(text, http_status, request_id, enums)
  local status = json.read(text)
  local problem = {
    message = status.message or "",
    status = http_status,
    type = CODE_NAMES[status.code] or "UNKNOWN",
    request_id = request_id,
    members = {},
  }
  local ours = false
  for _, detail in ipairs(status.details or {}) do
    if detail["@type"] == ERROR_INFO then
      ours = true
      problem.type = detail.reason
      problem.status = STATUS_OF_REASON[detail.reason] or http_status
      for name, value in pairs(detail.metadata or {}) do
        if name == "state" then value = enums[STATES][value] or value end
        problem.members[name] = (WRITERS[name] or json.quote)(value)
      end
    elseif detail["@type"] == BAD_REQUEST then
      problem.details = {}
      for index, violation in ipairs(detail.fieldViolations or {}) do
        problem.details[index] = { field = violation.field or "", message = violation.description or "" }
      end
    end
  end
  if not ours then say_for_grpc(problem, problem.message) end
  return problem
end

return errors
