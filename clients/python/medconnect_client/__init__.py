"""A client for MedConnect: prescriptions at pharmacy terminals, records and prescriptions in hospital systems.

`AsyncClient` is asynchronous, `Client` blocks; both have the same methods. `medconnect_client.errors` holds the
exceptions, `medconnect_client.models` the values that calls take and return, and `medconnect_client.packages` reads
what packages of medicines state.
"""

from medconnect_client import errors, models, packages
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
    "packages",
]
