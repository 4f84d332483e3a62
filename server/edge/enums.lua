-- Translates between enum names and their short words: `PRESCRIPTION_STATUS_SCANNED` is "scanned" in REST.
-- Changes only the values of enum fields, which it finds by walking the JSON along the message's type, because a patient may
-- be called "ROLE_ADMIN". All other bytes stay unchanged.

local json = require("json")

local enums = {}
enums.__index = enums

local concat, sub = table.concat, string.sub

-- Creates the translator for the tables of edge_tables.lua.
function enums.new(tables)
  local names = {}
  for enum, words in pairs(tables.enums) do
    names[enum] = {}
    for name, word in pairs(words) do
      if word ~= "unspecified" then names[enum][word] = name end
    end
  end
  return setmetatable({ messages = tables.messages, to_word = tables.enums, to_name = names }, enums)
end

-- Collects the replacements in the value at `at`, whose type is `field`, and returns the position after the value.
local function visit(self, text, at, field, directory, found)
  local first = sub(text, at, at)
  if first == "[" then
    return json.each_element(text, at, function(element_at)
      -- protobuf has no nested lists, and following them would let a client choose the recursion depth.
      if sub(text, element_at, element_at) == "[" then return json.skip_value(text, element_at) end
      return visit(self, text, element_at, field, directory, found)
    end)
  end
  if first == "{" and field.message then
    local fields = self.messages[field.message]
    return json.each_member(text, at, function(key, value_at)
      if not fields[key] then return json.skip_value(text, value_at) end
      return visit(self, text, value_at, fields[key], directory, found)
    end)
  end
  if first ~= '"' or not field.enum then return json.skip_value(text, at) end
  local value, past = json.read_string(text, at)
  local other = directory[field.enum][value]
  if other then found[#found + 1] = { from = at, past = past, text = '"' .. other .. '"' } end
  return past
end

local function translate(self, text, message, directory)
  if not message then return text end
  local found = {}
  -- Malformed JSON stays unchanged: the transcoder rejects it with its own message.
  local fine = pcall(function()
    visit(self, text, json.skip_space(text, 1), { message = message }, directory, found)
  end)
  if not fine or #found == 0 then return text end
  local pieces, from = {}, 1
  for _, place in ipairs(found) do
    pieces[#pieces + 1] = sub(text, from, place.from - 1)
    pieces[#pieces + 1] = place.text
    from = place.past
  end
  pieces[#pieces + 1] = sub(text, from)
  return concat(pieces)
end

-- Returns the JSON of a message from the server with short words.
function enums:shorten(text, message)
  return translate(self, text, message, self.to_word)
end

-- Returns server-sent events with short words; each holds the JSON of a message from the server on one line.
function enums:shorten_events(text, message)
  return (text:gsub("data: ([^\n]*)", function(document)
    return "data: " .. self:shorten(document, message)
  end))
end

-- Returns the JSON of a message from a client with enum names.
function enums:lengthen(text, message)
  return translate(self, text, message, self.to_name)
end

-- Decodes a key or value of a query string.
function enums.decode_parameter(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- Returns the enum type of a query parameter such as `status` or `filter.status`, or nil.
local function enum_of_parameter(self, key, message)
  local field = { message = message }
  for name in key:gmatch("[^.]+") do
    field = field.message and self.messages[field.message][name]
    if not field then return nil end
  end
  return field.enum
end

-- Returns a query string from a client with enum names. The pattern matches each parameter in one step: `[^&=]+=` would
-- restart at each byte of a long name without a value, which takes quadratic time.
function enums:lengthen_query(query, message)
  if not message then return query end
  return (query:gsub("[^&]+", function(parameter)
    local equals = parameter:find("=", 1, true)
    if not equals then return nil end
    local key, value = parameter:sub(1, equals - 1), parameter:sub(equals + 1)
    local enum = enum_of_parameter(self, enums.decode_parameter(key), message)
    local name = enum and self.to_name[enum][enums.decode_parameter(value)]
    return name and key .. "=" .. name
  end))
end

return enums
