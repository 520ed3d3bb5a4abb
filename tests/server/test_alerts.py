"""What deploy/ has for Prometheus and Grafana loads, and names only metrics and labels that the server has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from renzheng.actions.product import make_product
from renzheng.management.product import make_product as make_management
from renzheng.server.metrics import Metrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
# What Prometheus and Grafana add.
OWN_LABELS = {"instance", "job", "le", "__name__"}


def known() -> dict[str, set[str]]:
    """Labels by the names of the samples that the server gives."""
    found = {"up": set[str]()}
    metrics = Metrics()
    for metric, names in metrics.registry._collector_to_names.items():
        own = getattr(metric, "_labelnames", ())
        labels = {family.name: set(getattr(family, "_labelnames", own)) for family in metric.describe()}  # type: ignore[attr-defined]
        for name in names:
            found[name] = next(given for family, given in labels.items() if name.startswith(family))
    return found


def selectors(expression: Any) -> list[Any]:
    """Every vector that an expression selects."""
    found: list[Any] = []

    def note(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(expression, note)
    return found


def check(expression: str) -> int:
    """Parses, and selects only what there is; how many vectors it selects."""
    plain = expression.replace("$__rate_interval", "5m")
    count = 0
    for one in selectors(promql_parser.parse(plain)):
        count += 1
        assert one.name in known(), f"{one.name} is not a metric"
        for matcher in one.matchers.matchers:
            assert matcher.name in known()[one.name] | OWN_LABELS, f"{one.name} has no label {matcher.name}"
    assert count == len(re.findall(r"renzheng_\w+|\bup\{", plain)), "the walk missed a vector"
    for by in re.findall(r"by \(([^)]*)\)", plain):
        labels = set(by.replace(" ", "").split(","))
        assert any(labels <= known()[one.name] | OWN_LABELS for one in selectors(promql_parser.parse(plain)))
    return count


RULE_LIST = [rule for group in RULES["groups"] for rule in group["rules"]]
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert check(rule["expr"]) >= 1
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}
    labels = set().union(*(known()[one.name] for one in selectors(promql_parser.parse(rule["expr"]))))
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= labels | OWN_LABELS
    promql_parser.parse_duration(rule.get("for", "1m"))


def test_no_alert_has_the_name_of_another() -> None:
    names = [rule["alert"] for rule in RULE_LIST]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("title", "expression"), QUERIES)
def test_every_panel_asks_for_what_there_is(title: str, expression: str) -> None:
    assert check(expression.replace('instance=~"$instance"', 'instance=~".*"')) >= 1


def test_the_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells)), "two panels lie on each other"
    assert max(x for x, _ in cells) < 24
    used = {one for _, query in QUERIES for one in re.findall(r"renzheng_\w+", query)}
    assert {name.removesuffix("_bucket") for name in used} == {
        name for name in known() if not name.endswith(("_bucket", "_count", "_sum", "_created")) and name != "up"
    } - {name.removesuffix("_total") for name in known() if name.endswith("_total")}


def test_no_two_services_have_an_action_of_one_name() -> None:
    """The console shows latencies by action alone."""
    names = [action.name for product in (make_product(), make_management()) for action in product.actions]
    assert len(names) == len(set(names))
