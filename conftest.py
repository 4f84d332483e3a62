"""What must stand before anything imports gRPC, and options that are known wherever a run begins.

gRPC's handlers around fork() break a child that is made while channels are open (one in three dies of signal 11 before
it runs its program). Only a child that changes its account is forked: the embedded database of root, whom some tests
start beside an instance. A server starts its database first, and gRPC after it.
"""

import os

import pytest

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security -k mutated --mutations=100000` sends so many damaged bodies."""
    parser.addoption("--mutations", type=int, help="damaged protobuf bodies to send; of JSON a twentieth")
    parser.addoption("--seed", type=int, help="what decides on the damage")
