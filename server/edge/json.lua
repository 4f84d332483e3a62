-- The JSON functions that the edge needs: reading a small document, writing a string, and finding the end of a token.
-- Malformed text raises an error; callers that read a client's text use pcall.

local json = {}

local byte, char, concat, find, sub = string.byte, string.char, table.concat, string.find, string.sub

local QUOTE, OPEN_OBJECT, OPEN_ARRAY = byte('"'), byte("{"), byte("[")
local SHORT_ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local DEEPEST = 100 -- the limit of protobuf's own JSON parsers; also prevents a stack overflow by a hostile document

local function malformed()
  error("malformed JSON", 0)
end

-- Returns the position of the next character that is not white space; raises an error at the end of the text.
function json.skip_space(text, at)
  return find(text, "[^ \t\r\n]", at) or malformed()
end

-- Returns the position of the closing quote of the string whose opening quote is at `at`.
function json.string_end(text, at)
  at = at + 1
  while true do
    local found = find(text, '["\\]', at) or malformed()
    if byte(text, found) == QUOTE then return found end
    at = found + 2
  end
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
  local low, middle = 0x80 + code % 0x40, 0x80 + math.floor(code / 0x40) % 0x40
  if code < 0x10000 then return char(0xE0 + math.floor(code / 0x1000), middle, low) end
  return char(0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40, middle, low)
end

-- Returns the character of the escape sequence whose backslash is at `at`, and the position after it.
local function unescape(text, at)
  local letter = sub(text, at + 1, at + 1)
  if letter ~= "u" then return SHORT_ESCAPES[letter] or malformed(), at + 2 end
  local code = tonumber(text:match("^%x%x%x%x", at + 2) or malformed(), 16)
  if code < 0xD800 or code > 0xDFFF then return utf8(code), at + 6 end
  local second = tonumber(text:match("^\\u(%x%x%x%x)", at + 6) or malformed(), 16)
  if code > 0xDBFF or second < 0xDC00 or second > 0xDFFF then malformed() end
  return utf8(0x10000 + (code - 0xD800) * 0x400 + (second - 0xDC00)), at + 12
end

-- Returns the string whose opening quote is at `at`, and the position after its closing quote.
function json.read_string(text, at)
  local last = json.string_end(text, at)
  local inside, pieces, from = sub(text, at + 1, last - 1), {}, 1
  local escape = find(inside, "\\", 1, true) -- in the string only: each search of the whole text takes linear time
  while escape do
    pieces[#pieces + 1] = sub(inside, from, escape - 1)
    pieces[#pieces + 1], from = unescape(inside, escape)
    escape = find(inside, "\\", from, true)
  end
  pieces[#pieces + 1] = sub(inside, from)
  return concat(pieces), last + 1
end

-- Returns the position after the value that begins at `at`; the value's content is not validated.
function json.skip_value(text, at)
  local first = byte(text, at)
  if first == QUOTE then return json.string_end(text, at) + 1 end
  if first ~= OPEN_OBJECT and first ~= OPEN_ARRAY then
    local _, last = find(text, "^[%w+.-]+", at)
    return (last or malformed()) + 1
  end
  local depth = 0
  while true do
    at = find(text, '["{}%[%]]', at) or malformed()
    local found = byte(text, at)
    if found == QUOTE then
      at = json.string_end(text, at)
    elseif found == OPEN_OBJECT or found == OPEN_ARRAY then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return at + 1 end
    end
    at = at + 1
  end
end

-- Visits the members of the object at `at`: `visit(key, value_at)` returns the position after the value. Returns the position
-- after the object.
function json.each_member(text, at, visit)
  at = json.skip_space(text, at + 1)
  if sub(text, at, at) == "}" then return at + 1 end
  while true do
    if byte(text, at) ~= QUOTE then malformed() end
    local key
    key, at = json.read_string(text, at)
    at = json.skip_space(text, at)
    if sub(text, at, at) ~= ":" then malformed() end
    at = json.skip_space(text, visit(key, json.skip_space(text, at + 1)))
    local sign = sub(text, at, at)
    if sign == "}" then return at + 1 end
    if sign ~= "," then malformed() end
    at = json.skip_space(text, at + 1)
  end
end

-- Visits the elements of the array at `at`: `visit(value_at)` returns the position after the element. Returns the position
-- after the array.
function json.each_element(text, at, visit)
  at = json.skip_space(text, at + 1)
  if sub(text, at, at) == "]" then return at + 1 end
  while true do
    at = json.skip_space(text, visit(at))
    local sign = sub(text, at, at)
    if sign == "]" then return at + 1 end
    if sign ~= "," then malformed() end
    at = json.skip_space(text, at + 1)
  end
end

local LITERALS = { ["true"] = true, ["false"] = false }

local function read_value(text, at, depth)
  if depth > DEEPEST then malformed() end
  local first, value = byte(text, at), {}
  if first == QUOTE then return json.read_string(text, at) end
  if first == OPEN_OBJECT then
    at = json.each_member(text, at, function(key, value_at)
      value[key], value_at = read_value(text, value_at, depth + 1)
      return value_at
    end)
    return value, at
  end
  if first == OPEN_ARRAY then
    at = json.each_element(text, at, function(value_at)
      value[#value + 1], value_at = read_value(text, value_at, depth + 1)
      return value_at
    end)
    return value, at
  end
  local past = json.skip_value(text, at)
  local word = sub(text, at, past - 1)
  if word == "null" then return nil, past end
  if LITERALS[word] ~= nil then return LITERALS[word], past end
  return tonumber(word) or malformed(), past
end

-- Returns a document as Lua values; null is nil, numbers are doubles.
function json.read(text)
  return (read_value(text, json.skip_space(text, 1), 1))
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- Returns a string as JSON; the bytes of UTF-8 characters stay unchanged.
function json.quote(text)
  local escaped = text:gsub('[%c"\\]', function(found)
    return ESCAPES[found] or string.format("\\u%04x", byte(found))
  end)
  return '"' .. escaped .. '"'
end

return json
