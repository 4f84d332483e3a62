"""The REST edge: the Envoy that transcodes REST calls to gRPC and wraps the responses in the envelope.

The API is `running(EdgeConfig(...))`. The Lua files are Envoy's Lua filters: drain.lua, envelope.lua and their modules.
"""

from server.edge.config import EdgeConfig
from server.edge.process import Edge, EdgeFailed, running

__all__ = ["Edge", "EdgeConfig", "EdgeFailed", "running"]
