-- The media types of requests and responses. gRPC is defined as in Envoy's own filters (source/common/grpc/common.cc,
-- hasGrpcContentType): a request that the transcoder reads as JSON must never pass this filter as gRPC.

local media_types = {}

-- Returns true if Envoy treats a content type as gRPC: `application/grpc`, or any that begins with `application/grpc+`.
function media_types.is_grpc(content_type)
  return content_type:find("^application/grpc$") ~= nil or content_type:sub(1, 17) == "application/grpc+"
end

-- Returns true if a content type is JSON, with or without parameters; false for two types that are joined by a comma.
function media_types.is_json(content_type)
  local rest = content_type:lower():match("^application/json[ \t]*(.*)$")
  return rest ~= nil and (rest == "" or (rest:sub(1, 1) == ";" and not rest:find(",", 1, true)))
end

return media_types
