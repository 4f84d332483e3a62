-- How large a request may be. What is measured here is refused before anything else reads it.

local limits = {}

limits.BODY = 262144 -- bytes; the filter body_size_limit of envoy.yaml refuses what is more
limits.DRAINED_BODY = 8388608 -- bytes; up to here a body that is too large is read to its end, see drain.lua

local PATH = 4096 -- bytes, the query included
local HEADERS = 8192 -- bytes, each header counted as HTTP/2 does (RFC 9113, 6.5.2): its name, its value and 32
local HEADER_OVERHEAD = 32

-- Return why a request's head is refused: a status, an error type and a message; nil for one that may go on.
-- The server takes 16 KiB (server/listening.py), in which a head of 8 KiB fits with all that the edge adds to it.
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
