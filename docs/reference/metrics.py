"""Writes docs/operations/metrics.md: every metric with its labels and its meaning."""

from typing import Final

from docs.reference.markdown import page, table
from server.metrics import Metrics

INTRODUCTION: Final = """`METRICS_ADDRESS=127.0.0.1:9090` answers Prometheus at `/metrics`. Of several serving
processes the second has the next port, and so on; the process that runs worker and edge has the port after the last.
`medconnect worker` serves its metrics, too. An address that other machines reach needs `METRICS_TOKEN`, which
Prometheus presents as a bearer token, or `METRICS_CLIENT_CA`, whose client certificates it presents; it is served over
TLS if `TLS_CERT` is set, as production requires. The values of backlogs (feed, audit, emails, transactions) come from
the database and are equal in all processes."""


def metrics() -> str:
    """Returns the page."""
    families = Metrics().registry.collect()
    rows = [[f"`{family.name}`", family.type, family.documentation] for family in families]
    return page("Metrics", INTRODUCTION, table(("metric", "type", "meaning"), sorted(rows)))
