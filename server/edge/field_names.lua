-- JSON names of proto fields.

local field_names = {}

-- Returns a function that maps either name of a field (`unit_price`, `unitPrice`) to its JSON name.
-- `json_names` holds the JSON names that are not the camel case of the proto name.
function field_names.new(json_names)
  return function(name)
    return json_names[name] or (name:gsub("_(%w)", string.upper))
  end
end

return field_names
