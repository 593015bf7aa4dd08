"""When a scale-out was needed, decided and served, from the records; and the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.elasticity_report import (
    ElasticityReport,
    ScaleOutError,
    markdown,
    scale_out,
    write_json,
)
from benchmarks.running import pool_is_full


def query(started: float, queued: float, cluster: int | None = 1) -> dict[str, Any]:
    return {"started_at": started, "plan_ms": 5.0, "queued_ms": queued, "cluster": cluster}


def event(at: float, action: str = "scale out") -> dict[str, Any]:
    return {"happened_at": at, "action": action}


def report(**more: Any) -> ElasticityReport:
    settings: dict[str, Any] = {"rounds": 2, "size": 1, "clients": 6, "clusters": 3}
    return ElasticityReport(**settings, scale_factor=0.1, seed=1, machine={}, **more)


def test_a_scale_out_from_the_first_query_that_waited() -> None:
    queries = [
        query(1_000, queued=0.1),  # found its worker idle
        query(1_020, queued=400),  # begins to wait at 1,025
        query(1_500, queued=200, cluster=2),  # runs from 1,705
        query(1_400, queued=600, cluster=3),  # runs from 2,005
        query(2_500, queued=100, cluster=2),
    ]
    found = scale_out(queries, [event(900, "resume"), event(1_300)], clusters=3)
    assert found == {
        "queueing to decision": pytest.approx(275),
        "decision to first query served": pytest.approx(405),
        "decision to all clusters serving": pytest.approx(705),
    }


def test_the_first_of_several_decisions_counts() -> None:
    queries = [query(1_000, queued=400), query(1_300, queued=5, cluster=2)]
    found = scale_out(queries, [event(1_400), event(1_200)], clusters=2)
    assert found["queueing to decision"] == pytest.approx(195)


@pytest.mark.parametrize(
    ("queries", "events", "why"),
    [
        ([query(1_000, queued=0.2)], [event(1_200)], "no query waited"),
        ([query(1_000, queued=300)], [event(1_200, "suspend")], "no scale-out was decided"),
        ([query(1_000, queued=300)], [event(1_200)], "1 clusters ran queries, not 2"),
        ([query(1_000, queued=300), query(1_000, 300, None)], [event(1_200)], "1 clusters"),
    ],
)
def test_records_without_a_scale_out_are_refused(
    queries: list[dict[str, Any]], events: list[dict[str, Any]], why: str
) -> None:
    with pytest.raises(ScaleOutError, match=why):
        scale_out(queries, events, clusters=2)


def test_a_row_for_each_way_and_measure(tmp_path: Path) -> None:
    found = report()
    for first, drop in ((400.0, 10.0), (1_200.0, 20.0), (300.0, 30.0)):
        found.add("pool", {"create to first row": first, "drop": drop})
    found.add("cold", {"create to first row": 2_000.0})
    assert markdown(found).splitlines()[2:] == [
        "| pool | create to first row | 3 | 400 | 1,200 | 1,000 | no |",
        "| pool | drop | 3 | 20 | 30 |  |  |",
        "| cold | create to first row | 1 | 2,000 | 2,000 |  |  |",
    ]
    write_json(found, tmp_path / "made" / "found.json")
    content = json.loads((tmp_path / "made" / "found.json").read_text("utf-8"))
    assert content["times_ms"]["pool"]["drop"] == [10.0, 20.0, 30.0]
    assert content["summary"][0]["p99_ms"] == 1_200.0


def test_a_pool_is_full_when_it_has_its_spare_processes_and_no_others() -> None:
    def status(*found: tuple[str, str, int]) -> dict[str, Any]:
        return {"processes": [{"shape": s, "state": t, "count": n} for s, t, n in found]}

    worker, coordinator = "1 CPUs on nodes of type default", "coordinator"
    full = status((worker, "spare", 3), (coordinator, "spare", 1))
    assert pool_is_full(full, 3, 1)
    assert not pool_is_full(full, 4, 1)
    assert not pool_is_full(full, 3, 0)
    for state in ("starting", "lent"):
        more = status((worker, "spare", 3), (worker, state, 1), (coordinator, "spare", 1))
        assert not pool_is_full(more, 3, 1)
    assert pool_is_full(status(), 0, 0)
