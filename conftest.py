"""Settings that gRPC reads when it is imported, garbage collection, and pytest options for every start folder.

gRPC's fork handlers break a child process that is forked while channels are open: one in three dies of signal 11 before
it runs its program. Only a child that changes its account is forked: the embedded database, if root runs the tests.
Some tests start one while an instance runs. A server is not affected, because it starts its database before gRPC.
"""

import gc
import os
from collections.abc import Generator

import pytest

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Loads the tests without garbage collections, and leaves what is loaded out of later ones: it lasts to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds options for the fuzz tests: `pytest tests/security -k mutated --mutations=100000` sends 100,000 bodies."""
    parser.addoption(
        "--mutations", type=int, help="number of damaged protobuf bodies to send; a twentieth as many JSON bodies"
    )
    parser.addoption("--names", type=int, default=1_000, help="number of names of all scripts to store and find")
    parser.addoption("--seed", type=int, help="seed of the random damage")
