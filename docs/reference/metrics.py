"""Writes docs/operations/metrics.md: every metric with its labels and its meaning."""

from typing import Final

from docs.reference.markdown import page, table
from server.metrics import Metrics

INTRODUCTION: Final = """`METRICS_ADDRESS=127.0.0.1:9090` answers Prometheus at `/metrics`, on loopback only. Of
several serving processes the second has the next port, and so on."""


def metrics() -> str:
    """Returns the page."""
    families = Metrics().registry.collect()
    rows = [[f"`{family.name}`", family.type, family.documentation] for family in families]
    return page("Metrics", INTRODUCTION, table(("metric", "type", "meaning"), sorted(rows)))
