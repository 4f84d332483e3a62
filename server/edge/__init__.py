"""The REST edge: the Envoy that turns REST calls into gRPC calls and answers them with the envelope.

`running(EdgeConfig(...))` is the whole face. The Lua files are Envoy's filter: envelope.lua and what it needs.
"""

from server.edge.config import EdgeConfig
from server.edge.process import Edge, EdgeFailed, running

__all__ = ["Edge", "EdgeConfig", "EdgeFailed", "running"]
