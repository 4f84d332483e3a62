"""Writes docs/operations/alerts.md: what each alert means, what to do, and the incidents that it was tested with."""

from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # comes with mkdocs, without types

from docs.reference.markdown import page, table
from docs.reference.paths import ROOT
from tests.operations.incidents import INCIDENTS

INTRODUCTION: Final = """`deploy/prometheus` holds the alert rules and an example configuration of Prometheus,
`deploy/grafana/dashboard.json` a dashboard to import. Set `METRICS_ADDRESS`, copy both files of `deploy/prometheus` to
one folder, list the processes as targets of the job `medconnect`, and run `prometheus --config.file=prometheus.yaml`.

A *page* wakes the operator, a *ticket* waits for the morning. Several alerts may fire at once; the one that names a
cause counts."""


def alerts() -> str:
    """Returns the page."""
    rules: list[Any] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
    rows = []
    for rule in rules:
        notes = rule["annotations"]
        rows.append([f"`{rule['alert']}`", rule["labels"]["severity"], notes["meaning"], notes["action"]])
    incidents = [
        [incident.name, ", ".join(f"`{name}`" for name in sorted(incident.alerts)) or "none"] for incident in INCIDENTS
    ]
    return page(
        "Alerts",
        INTRODUCTION,
        table(("alert", "severity", "it means", "what to do"), rows),
        "## Incidents\n\nThe rules are tested with these incidents; exactly the alerts named beside each fire.",
        table(("incident", "alerts"), incidents),
    )
