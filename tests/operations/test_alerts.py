"""Tests the alert rules with promtool, and that rules and dashboard name only metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # comes with mkdocs, without types

from docs.reference.paths import ROOT
from server.metrics import Metrics
from tests.operations.incidents import INCIDENTS, Incident, series_of

ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
METRIC = re.compile(r"\b(?:medconnect|process)_\w+")
STEPS = 280
"""Samples of 15 seconds, until the alerts are looked at."""


def expressions() -> dict[str, str]:
    """Returns the expressions of all alerts and panels by name."""
    alerts = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    of_panels = {f"{panel['title']} {each['refId']}": each["expr"] for panel in panels for each in panel["targets"]}
    return {**{alert["alert"]: alert["expr"] for alert in alerts}, **of_panels}


def test_alerts_and_panels_use_metrics_that_exist() -> None:
    families = {family.name: family.type for family in Metrics().registry.collect()}
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    known = {name + suffix for name, kind in families.items() for suffix in suffixes[kind]}
    for name, expression in expressions().items():
        used = set(METRIC.findall(expression)) - {"medconnect_email"}
        assert used <= known, name
    assert set(METRIC.findall(" ".join(name for each in INCIDENTS for name in series_of(each)))) <= known


def test_alerts_fire_for_each_incident_and_no_other(tmp_path: Path) -> None:
    fired = frozenset[str]().union(*(incident.alerts for incident in INCIDENTS))
    assert fired == {alert["alert"] for alert in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: apt-get install prometheus")
    cases = tmp_path / "cases.yaml"
    cases.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": [case(each) for each in INCIDENTS]}))
    told = subprocess.run(["promtool", "test", "rules", str(cases)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def case(incident: Incident) -> dict[str, object]:
    """Returns promtool's test of an incident, whose name appears in failures."""
    written = {
        series: f"{values}x{STEPS}" if "+" in values else f"{values}+0x{STEPS}"
        for series, values in series_of(incident).items()
    }
    fired = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(incident.alerts)]
    expression = 'count by (alertname) (count by (alertname, job) (ALERTS{alertstate="firing"}))'
    return {
        "name": incident.name,
        "interval": "15s",
        "input_series": [{"series": series, "values": values} for series, values in written.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": "70m", "exp_samples": fired}],
    }
