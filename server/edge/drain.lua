-- A filter of its own, before all that refuse bodies. A client that is still writing when an answer comes and the
-- connection closes sees a reset and not the answer; so a body that is too large is read to its end, up to
-- limits.DRAINED_BODY, and thrown away as it arrives: what follows sees an empty rest, and envelope.lua answers 413.
-- What is larger still is refused at once by the filter body_size_limit.

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
    headers:remove("content-length") -- by which body_size_limit would refuse at once; nothing of the call goes further
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

-- Return whether the body of a call is, or has turned out, too large.
function drain.is_too_large(handle)
  local known = handle:streamInfo():dynamicMetadata():get(drain.METADATA)
  return known ~= nil and known.too_large == true
end

return drain
