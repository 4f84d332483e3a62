-- A separate filter, before all filters that reject bodies. A client that is still sending when the response arrives and the
-- connection closes sees a reset instead of the response. Therefore a body that is too large is read to its end, up to
-- limits.DRAINED_BODY, and discarded as it arrives: later filters see an empty rest, and envelope.lua responds with 413.
-- The filter body_size_limit rejects larger bodies immediately.

local limits = require("limits")
local media_types = require("media_types")

local drain = {}

drain.METADATA = "medconnect.drain"

function drain.on_request(handle)
  local headers = handle:headers()
  if media_types.is_grpc(headers:get("content-type") or "") then return end
  local known = handle:streamInfo():dynamicMetadata()
  local length = tonumber(headers:get("content-length") or "")
  if length then
    if length <= limits.BODY or length > limits.DRAINED_BODY then return end
    known:set(drain.METADATA, "too_large", true)
    headers:remove("content-length") -- or body_size_limit would reject the call immediately; the call is not forwarded
  end
  local total = 0
  for chunk in handle:bodyChunks() do
    total = total + chunk:length()
    if total > limits.BODY and total <= limits.DRAINED_BODY then
      handle:streamInfo():dynamicMetadata():set(drain.METADATA, "too_large", true)
      chunk:setBytes("")
    end
  end
end

-- Returns true if the body of a call is declared to be too large or has turned out to be.
function drain.is_too_large(handle)
  local known = handle:streamInfo():dynamicMetadata():get(drain.METADATA)
  return known ~= nil and known.too_large == true
end

return drain
