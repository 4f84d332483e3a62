"""A client for MedConnect: prescriptions at pharmacy terminals, records and prescriptions in hospital systems.

`AsyncClient` is called with `await`, `Client` without; both offer the same. What a call can fail with stands in
`medconnect_client.errors`, what the service speaks of in `medconnect_client.models`.
"""

from medconnect_client import errors, models
from medconnect_client._calls import Progress
from medconnect_client._channel import Tls
from medconnect_client._client import AsyncClient
from medconnect_client._clock import Clock
from medconnect_client._pharmacy import AsyncClaim
from medconnect_client._retry import RetryPolicy
from medconnect_client._sync import Claim, Client
from medconnect_client._tokens import MemoryTokens, Tokens, TokenStore
from medconnect_client.errors import MedConnectError
from medconnect_client.models import DispenseLine

__all__ = [
    "AsyncClaim",
    "AsyncClient",
    "Claim",
    "Client",
    "Clock",
    "DispenseLine",
    "MedConnectError",
    "MemoryTokens",
    "Progress",
    "RetryPolicy",
    "Tls",
    "TokenStore",
    "Tokens",
    "errors",
    "models",
]
