-- Finds the routes of a path by HTTP method, and checks their queries.

local percent_encoding = require("percent_encoding")

local routes = {}
routes.__index = routes

-- Creates the directory of the routes of edge_tables.lua: a tree of path segments, where `*` matches any one segment.
function routes.new(list)
  local root = { below = {} }
  for number, route in ipairs(list) do
    local node = root
    for segment in route.path:gmatch("[^/]+") do
      node.below[segment] = node.below[segment] or { below = {} }
      node = node.below[segment]
    end
    node.methods = node.methods or {}
    node.methods[route.method] = number
  end
  return setmetatable({ root = root, list = list }, routes)
end

-- Collects the methods below `node` for the segments from `index` on; a literal segment takes precedence over `*`.
local function collect(node, segments, index, methods)
  if index > #segments then
    for method, number in pairs(node.methods or {}) do
      methods[method] = methods[method] or number
    end
    return
  end
  local literal, any = node.below[segments[index]], node.below["*"]
  if literal then collect(literal, segments, index + 1, methods) end
  if any and segments[index] ~= "" then collect(any, segments, index + 1, methods) end
end

-- Returns the numbers of a path's routes by method; empty if there is no such path.
function routes:find(path)
  local segments, methods = {}, {}
  for segment in path:gmatch("/([^/]*)") do
    segments[#segments + 1] = segment
  end
  collect(self.root, segments, 1, methods)
  return methods
end

-- Returns the error of a query that the transcoder would accept: a query parameter would override the same parameter of the path.
function routes.query_problem(route, query)
  if query == "" then return nil end
  if route.takes_body then return "This call takes no query parameters." end
  for parameter in query:gmatch("[^&]+") do
    local name = percent_encoding.decode((parameter:match("^[^=]*"):gsub("+", " ")))
    if route.in_path and route.in_path[name] then return name .. " is part of the path." end
  end
  return nil
end

return routes
