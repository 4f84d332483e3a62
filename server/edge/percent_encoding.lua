-- Percent-encoding (RFC 3986) of header values and query strings.

local percent_encoding = {}

function percent_encoding.decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

return percent_encoding
