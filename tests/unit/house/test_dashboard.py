"""The dashboard for Grafana and the document about it are in step with the metrics."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from actors.virtual_warehouse.metrics import METRICS, Metric
from tests.unit.house.source_tree import text

DASHBOARD: dict[str, Any] = json.loads(text("docs/grafana/mobula.json"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
CHARTS = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES: dict[str, dict[str, Any]] = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_COLUMNS = 24
EXPORTED: dict[str, Metric] = {
    name: metric
    for metric in METRICS
    for name in (
        [f"ray_{metric.name}{end}" for end in ("_bucket", "_sum", "_count")]
        if metric.kind == "histogram"
        else [f"ray_{metric.name}"]
    )
}
EXPRESSIONS = [
    pytest.param(target["expr"], target["legendFormat"], id=f"{panel['title']} {target['refId']}")
    for panel in CHARTS
    for target in panel["targets"]
]
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
IN_BY = re.compile(r"(?:by|on|group_left|without) \(([^)]*)\)")
# Of counters only what they grow by means something: a process that ends takes its count with it.
GROWTH = re.compile(r"(?:rate|increase)\(\w+\{[^}]*\}\[[^\]]+\]\)")
NEWLY_SEEN = re.compile(r"\((\w+\{[^}]*\}) unless \1 offset \$__rate_interval\)")


def used(expr: str) -> set[str]:
    """The metrics that an expression names, also in a regular expression over their names."""
    return set(re.findall(r"\b\w*mobula_\w+", expr))


def labels(expr: str) -> list[str]:
    return [name for names in IN_BY.findall(expr) for name in re.findall(r"\w+", names)]


def test_it_can_be_imported() -> None:
    assert DASHBOARD["schemaVersion"] == 42  # the last of the model that files are shared in
    assert (DASHBOARD["title"], DASHBOARD["uid"]) == ("Mobula", "mobula")
    assert "id" not in DASHBOARD  # of one Grafana alone
    assert list(VARIABLES) == ["datasource", "database", "warehouse"]
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert all(VARIABLES[name]["datasource"] == SOURCE for name in ("database", "warehouse"))


def test_it_has_a_row_for_each_question() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Load", "Elasticity", "Cost", "Faults", "Pool", "Writes", "Retention"]


def test_panels_have_an_id_each_and_say_what_they_show() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in CHARTS:
        assert panel["datasource"] == SOURCE
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0


def test_panels_lie_beside_each_other() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        assert 0 <= x < x + w <= GRID_COLUMNS
        return set(itertools.product(range(x, x + w), range(y, y + h)))

    for one, other in itertools.combinations(PANELS, 2):
        assert not cells(one) & cells(other), f"{one['title']} and {other['title']}"
    taken = set[tuple[int, int]]().union(*(cells(panel) for panel in PANELS))
    assert len(taken) == GRID_COLUMNS * (1 + max(y for _, y in taken))  # and leave nothing free


@pytest.mark.parametrize(("expr", "legend"), EXPRESSIONS)
def test_expressions_name_what_there_is(expr: str, legend: str) -> None:
    assert used(expr)
    assert used(expr) <= EXPORTED.keys()
    assert expr.count("(") == expr.count(")")
    known = {"le"}.union(*(EXPORTED[name].tags for name in used(expr)))
    assert set(labels(expr)) <= known
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) == set(labels(expr)) - {"le"}


@pytest.mark.parametrize(("expr", "legend"), EXPRESSIONS)
def test_expressions_are_about_the_database_and_warehouses_chosen(expr: str, legend: str) -> None:
    found = SELECTOR.findall(expr)
    assert {name for name, _ in found} == used(expr)
    for name, conditions in found:
        assert 'database="$database"' in conditions
        assert ("warehouse" in EXPORTED[name].tags) == ('warehouse=~"$warehouse"' in conditions)
        assert set(re.findall(r"(\w+)[!=]", conditions)) <= set(EXPORTED[name].tags)
    assert set(re.findall(r"\$(\w+)", expr)) <= {*VARIABLES, "__rate_interval"}


@pytest.mark.parametrize(("expr", "legend"), EXPRESSIONS)
def test_totals_are_shown_by_their_growth(expr: str, legend: str) -> None:
    rest = NEWLY_SEEN.sub("", GROWTH.sub("", expr))
    grown = {name for name in used(expr) if EXPORTED[name].kind != "gauge"}
    assert not used(rest) & grown
    assert used(rest) == used(expr) - grown  # and gauges are not


@pytest.mark.parametrize("name", ["database", "warehouse"])
def test_variables_are_found_in_metrics_that_there_are(name: str) -> None:
    query = VARIABLES[name]["query"]["query"]
    assert query == VARIABLES[name]["definition"]
    assert query.endswith(f", {name})")
    assert used(query)
    assert used(query) <= EXPORTED.keys()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_shown_and_told(metric: Metric) -> None:
    shown = {
        name for chart in CHARTS for target in chart["targets"] for name in used(target["expr"])
    }
    assert any(EXPORTED[name] is metric for name in shown)
    row = f"| `ray_{metric.name}` | {metric.kind} | {metric.description}"
    assert row in text("docs/monitoring.md")
    assert all(f"`{tag}`" in text("docs/monitoring.md") for tag in metric.tags)
