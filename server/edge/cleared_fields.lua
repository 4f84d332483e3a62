-- Fields that an update clears by an empty value. Protobuf cannot distinguish `"allergies": []` or `"phone": null` from a
-- field that is left out, so the edge adds the names of such fields to `clear`, the field of the contract that clears them.

local json = require("json")

local cleared_fields = {}

local byte, concat, sub = string.byte, table.concat, string.sub
local OPEN_ARRAY = byte("[")

local function is_empty(value)
  return value == "null" or value:find("^%[[ \t\r\n]*%]$") ~= nil
end

-- Returns the names that the array at `at` lists, as a set.
local function names_in(text, at)
  local names = {}
  json.each_element(text, at, function(value_at)
    local past = json.skip_value(text, value_at)
    names[sub(text, value_at + 1, past - 2)] = true
    return past
  end)
  return names
end

-- Returns the names of the object's members that are empty and may be cleared, and where the value of `clear` begins and ends.
local function find_empty(text, clearable, json_name)
  local empty, clear_at, clear_past = {}, nil, nil
  json.each_member(text, json.skip_space(text, 1), function(key, value_at)
    local past, name = json.skip_value(text, value_at), json_name(key)
    if name == "clear" then
      clear_at, clear_past = value_at, past
    elseif clearable[name] and is_empty(sub(text, value_at, past - 1)) then
      empty[#empty + 1] = name
    end
    return past
  end)
  return empty, clear_at, clear_past
end

-- Returns the names as members of a JSON array, without those in `listed`.
local function quoted(names, listed)
  local found = {}
  for _, name in ipairs(names) do
    if not listed[name] then found[#found + 1] = json.quote(name) end
  end
  return concat(found, ",")
end

-- Returns a body, which is a JSON object, with its empty members that are in `clearable` added to its `clear`.
function cleared_fields.added(text, clearable, json_name)
  local empty, at, past = find_empty(text, clearable, json_name)
  if #empty == 0 then return text end
  if not at then return (text:gsub("{", '{"clear":[' .. quoted(empty, {}) .. "],", 1)) end
  local value = sub(text, at, past - 1)
  if is_empty(value) then return sub(text, 1, at - 1) .. "[" .. quoted(empty, {}) .. "]" .. sub(text, past) end
  if byte(value) ~= OPEN_ARRAY then return text end -- the server refuses it
  local more = quoted(empty, names_in(text, at))
  return more == "" and text or sub(text, 1, past - 2) .. "," .. more .. sub(text, past - 1) -- the places given stay
end

return cleared_fields
