-- Size limits of requests. Requests above them are rejected before anything else reads them.

local limits = {}

limits.BODY = 262144 -- bytes; the filter body_size_limit of envoy.yaml rejects larger bodies
limits.DRAINED_BODY = 8388608 -- bytes; an oversized body is read to its end up to this size, see drain.lua

local PATH = 4096 -- bytes, including the query
local HEADERS = 8192 -- bytes; as in HTTP/2 (RFC 9113, 6.5.2), a header counts its name, its value and 32 bytes
local HEADER_OVERHEAD = 32

-- Returns the status, error type and message of a request whose path or headers are too large; nil for other requests.
-- The server accepts 16 KiB (server/api/listening.py): room for headers of 8 KiB and everything that the edge adds to them.
function limits.problem(headers, path)
  if #path > PATH then return 414, "PATH_TOO_LONG", "The path is longer than 4096 bytes." end
  local size = 0
  for name, value in pairs(headers) do
    size = size + #name + #value + HEADER_OVERHEAD
  end
  if size > HEADERS then return 431, "HEADERS_TOO_LARGE", "The headers are too large." end
  return nil
end

return limits
