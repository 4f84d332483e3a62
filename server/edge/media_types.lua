-- The media types of requests and answers. gRPC is what Envoy's own filters take for gRPC (source/common/grpc/common.cc,
-- hasGrpcContentType): a request that the transcoder reads as JSON must never pass by the filter as gRPC.

local media_types = {}

-- Return whether Envoy takes a content type for gRPC: exactly `application/grpc`, or `application/grpc+` and more.
function media_types.is_grpc(content_type)
  return content_type:find("^application/grpc$") ~= nil or content_type:sub(1, 17) == "application/grpc+"
end

-- Return whether a content type is JSON, alone or with parameters; of two that were joined by a comma none is.
function media_types.is_json(content_type)
  local rest = content_type:lower():match("^application/json[ \t]*(.*)$")
  return rest ~= nil and (rest == "" or (rest:sub(1, 1) == ";" and not rest:find(",", 1, true)))
end

return media_types
