"""The client can call every RPC of the contracts, and repeats each as its contract allows."""

import ast
from pathlib import Path

import medconnect_client
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from medconnect_client._contract import method_of

from server.runtime.server import SERVICES
from tests.fixtures.cells import cells

FACES = ("_auth", "_second_factors", "_organisations", "_clinical", "_pharmacy", "_events", "_client")


def rpcs() -> list[MethodDescriptor]:
    pool = descriptor_pool.Default()
    return [method for name in SERVICES for method in pool.FindServiceByName(name).methods]


def requests_named() -> set[str]:
    """Returns the names of the request messages that the client's services use."""
    folder = Path(medconnect_client.__file__).parent
    trees = (ast.parse((folder / f"{name}.py").read_text()) for name in FACES)
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@cells("rpc", rpcs(), ids=lambda rpc: rpc.name)
def test_every_rpc_can_be_called(rpc: MethodDescriptor) -> None:
    assert rpc.input_type.name in requests_named(), f"add a method for {rpc.name}; CONTRIBUTING says how"


@pytest.mark.parametrize(
    ("name", "public", "reads", "keyed"),
    [
        ("Login", True, False, False),
        ("GetKeySet", True, True, False),
        ("ChangePassword", False, False, False),
        ("DispensePrescription", False, False, True),
        ("ListDispensingHistory", False, True, False),
        ("WatchEmailQueueStatus", False, True, False),
    ],
)
def test_method_options_are_those_of_the_contract(name: str, public: bool, reads: bool, keyed: bool) -> None:
    (rpc,) = (rpc for rpc in rpcs() if rpc.name == name)
    method = method_of(rpc.input_type.full_name)
    assert (method.public, method.reads, method.keyed) == (public, reads, keyed)
    assert method.path == f"/{rpc.containing_service.full_name}/{name}"
