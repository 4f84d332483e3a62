-- The names of fields in JSON.

local field_names = {}

-- Make the function that returns a field's JSON name, whichever of its two names it is given (`unit_price`, `unitPrice`).
-- `json_names` holds those that are not the camel case of the proto name.
function field_names.new(json_names)
  return function(name)
    return json_names[name] or (name:gsub("_(%w)", string.upper))
  end
end

return field_names
