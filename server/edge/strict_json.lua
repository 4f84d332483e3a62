-- Strict JSON parser for request bodies. The transcoder is lenient (single quotes, unquoted names, comments, trailing commas,
-- the last of two equal names), so each body is checked here first: RFC 8259, in UTF-8, an object whose members each appear
-- once under either of a field's two names. The transcoder also drops members that it does not know; where that would lose a
-- clinical fact, they are refused here. Parsing takes linear time.

local json = require("json")

local strict_json = {}
strict_json.__index = strict_json

local byte, find, sub = string.byte, string.find, string.sub

local DEEPEST = 100 -- the limit of protobuf's own JSON parsers; also bounds the stack
local LONGEST_FIELD = 200 -- bytes; a response does not repeat longer text of the client
local QUOTE, BACKSLASH, COMMA, COLON, SLASH, SINGLE_QUOTE = byte('"\\,:/\'', 1, 6)
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = byte("{}[]", 1, 4)
local ENDED = "the text ends unexpectedly"

-- Matches one non-ASCII character in UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629, section 4).
local CHARACTERS = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

-- Creates a reader; `json_name` is the function of field_names.lua.
function strict_json.new(json_name)
  return setmetatable({ json_name = json_name }, strict_json)
end

local function fail(at, message)
  error({ at = at, message = message }, 0)
end

local function skip_space(text, at)
  return find(text, "[^ \t\r\n]", at) or fail(#text + 1, ENDED)
end

local function after_escape(text, at)
  if find(text, '^["\\/bfnrt]', at + 1) then return at + 2 end
  local unit = text:match("^u(%x%x%x%x)", at + 1) or fail(at, "this escape sequence does not exist")
  local code = tonumber(unit, 16)
  if code < 0xD800 or code > 0xDFFF then return at + 6 end
  local is_pair = code < 0xDC00 and find(text, "^\\u[dD][c-fC-F]%x%x", at + 6)
  return is_pair and at + 12 or fail(at, "half of a surrogate pair is not a character")
end

local function after_character(text, at)
  for _, pattern in ipairs(CHARACTERS) do
    local _, last = find(text, pattern, at)
    if last then return last + 1 end
  end
  return fail(at, "this is not UTF-8")
end

-- Returns the position after the string whose opening quote is at `at`.
local function after_string(text, at)
  at = at + 1
  while true do
    at = find(text, '[%z\1-\31"\\\128-\255]', at) or fail(#text + 1, ENDED)
    local found = byte(text, at)
    if found == QUOTE then return at + 1 end
    if found < 32 then fail(at, "control characters in strings must be escaped") end
    at = found == BACKSLASH and after_escape(text, at) or after_character(text, at)
  end
end

-- Returns the position after `pattern` at `at`, or `at` if it does not match.
local function after_optional(text, pattern, at)
  local _, last = find(text, pattern, at)
  return last and last + 1 or at
end

local function after_word(text, at)
  for _, word in ipairs({ "^true", "^false", "^null" }) do
    local past = after_optional(text, word, at)
    if past > at then return past end
  end
  local past = after_optional(text, "^-?0", at)
  if past == at then past = after_optional(text, "^-?[1-9]%d*", at) end
  if past == at then
    local found = byte(text, at)
    if found == SINGLE_QUOTE then fail(at, "strings must be in double quotes") end
    if found == SLASH then fail(at, "JSON has no comments") end
    fail(at, "a value is expected here")
  end
  return after_optional(text, "^[eE][+-]?%d+", after_optional(text, "^%.%d+", past))
end

-- Returns the path of the reader's current field, such as `items[0].unitPrice`; nil at the top level, or if it is too long.
local function field_of(path)
  local pieces = {}
  for index, step in ipairs(path) do
    local is_name = type(step) == "string"
    pieces[index] = is_name and (index > 1 and "." .. step or step) or "[" .. step .. "]"
  end
  local field = table.concat(pieces)
  return field ~= "" and #field <= LONGEST_FIELD and field or nil
end

local after_value

-- Returns the position after the object at `at`; the reader's path holds the name of the current member. `known` maps its
-- members' names to what their values may contain; without it, members of any name are accepted.
local function after_object(reader, at, depth, known)
  local text, path, seen = reader.text, reader.path, {}
  at = skip_space(text, at + 1)
  if byte(text, at) == CLOSE_OBJECT then return at + 1 end
  while true do
    if byte(text, at) ~= QUOTE then fail(at, "a name in double quotes is expected here") end
    local past = after_string(text, at)
    local name = reader.json_name((json.read_string(text, at)))
    path[#path + 1] = name
    if seen[name] then error({ at = at, is_refused = true, message = "must be given once" }, 0) end
    seen[name] = true
    if known and not known[name] and not reader.unknown then
      reader.unknown = { at = at, is_refused = true, message = "is not a field of this call", field = field_of(path) }
    end
    at = skip_space(text, past)
    if byte(text, at) ~= COLON then fail(at, "a colon is expected here") end
    at = skip_space(text, after_value(reader, skip_space(text, at + 1), depth + 1, known and known[name]))
    path[#path] = nil
    local sign = byte(text, at)
    if sign == CLOSE_OBJECT then return at + 1 end
    if sign ~= COMMA then fail(at, "a comma or a closing brace is expected here") end
    at = skip_space(text, at + 1)
  end
end

local function after_array(reader, at, depth, known)
  local text, path = reader.text, reader.path
  local place = #path + 1
  at = skip_space(text, at + 1)
  if byte(text, at) == CLOSE_ARRAY then return at + 1 end
  path[place] = 0
  while true do
    at = skip_space(text, after_value(reader, at, depth + 1, known))
    local sign = byte(text, at)
    if sign == CLOSE_ARRAY then
      path[place] = nil
      return at + 1
    end
    if sign ~= COMMA then fail(at, "a comma or a closing bracket is expected here") end
    path[place] = path[place] + 1
    at = skip_space(text, at + 1)
  end
end

function after_value(reader, at, depth, known)
  if depth > DEEPEST then fail(at, "values may be nested at most 100 levels deep") end
  local first = byte(reader.text, at)
  if first == QUOTE then return after_string(reader.text, at) end
  if first == OPEN_OBJECT then return after_object(reader, at, depth, known ~= true and known) end
  if first == OPEN_ARRAY then return after_array(reader, at, depth, known) end
  return after_word(reader.text, at)
end

local function read(reader)
  local text = reader.text
  local at = skip_space(text, 1)
  if byte(text, at) ~= OPEN_OBJECT then fail(at, "the body must be an object") end
  local rest = find(text, "[^ \t\r\n]", after_value(reader, at, 1, reader.known))
  if rest then fail(rest, "nothing may follow the object") end
end

-- Returns a position as text; "line 1, column 1" is the first character.
local function line_and_column(text, at)
  local line, start = 1, 1
  local newline = find(text, "\n", 1, true)
  while newline and newline < at do
    line, start = line + 1, newline + 1
    newline = find(text, "\n", start, true)
  end
  local _, continuations = sub(text, start, at - 1):gsub("[\128-\191]", "")
  return "line " .. line .. ", column " .. (at - start - continuations + 1)
end

-- Returns nil for a valid body, else the fault: `is_refused` for a name that appears twice or that `known` lacks, `message`,
-- `place` (line and column), and `field` if it is known. `known`: the fields of edge_tables.lua; nil accepts any.
function strict_json:fault(text, known)
  local reader = { text = text, path = {}, json_name = self.json_name, known = known }
  local fine, fault = pcall(read, reader)
  if fine then fault = reader.unknown end
  if not fault then return nil end
  if type(fault) ~= "table" then error(fault, 0) end
  fault.place, fault.field = line_and_column(text, fault.at), fault.field or field_of(reader.path)
  return fault
end

return strict_json
