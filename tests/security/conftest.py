"""How long the long tests of this folder run."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/security --audit-records=100000` verifies as many."""
    parser.addoption("--audit-records", type=int, default=5000, help="records of the audit to seal and verify")


@pytest.fixture(scope="session")
def audit_records(request: pytest.FixtureRequest) -> int:
    """How many records are sealed and verified; 5,000 where the option is not known because the whole suite runs."""
    return int(request.config.getoption("--audit-records", 5000))
