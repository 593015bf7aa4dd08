"""Where the time of a query went, when a coordinator is full, and the tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.concurrency_report import (
    ConcurrencyReport,
    Load,
    joined,
    limit_per_second,
    markdown,
    parts_of,
    write_json,
)

RECORD = {
    "elapsed_ms": 8.0,
    "plan_ms": 1.5,
    "queued_ms": 0.5,
    "worker_seconds": 0.005,
    "execute_ms": 3.0,
}


def load(clients: int, times_ms: list[float], kind: str = "get", **cpu: float) -> Load:
    return Load(
        kind=kind,
        clients=clients,
        seconds=2.0,
        times_ms=times_ms,
        coordinator_cpu_s=cpu.get("coordinator", 0.0),
        workers_cpu_s=cpu.get("workers", 0.0),
    )


def report(*loads: Load) -> ConcurrencyReport:
    return ConcurrencyReport(
        rows=10,
        size=2,
        worker_cpus=1.0,
        processes=0,
        seconds=2.0,
        seed=1,
        machine={},
        loads=list(loads),
    )


def test_the_parts_of_a_query_sum_up_to_its_time() -> None:
    parts = parts_of(10.0, RECORD)
    assert parts == {
        "calls": pytest.approx(2.0),
        "plan": pytest.approx(1.5),
        "queue": pytest.approx(0.5),
        "worker call": pytest.approx(2.0),
        "execute": pytest.approx(3.0),
        "coordinator, other": pytest.approx(1.0),
    }
    assert sum(parts.values()) == pytest.approx(10.0)


def test_rounds_of_the_same_load_are_one() -> None:
    found = joined([load(1, [1.0]), load(2, [2.0]), load(1, [3.0], coordinator=0.5)])
    assert [(one.clients, one.times_ms, one.seconds) for one in found] == [
        (1, [1.0, 3.0], 4.0),
        (2, [2.0], 2.0),
    ]
    assert found[0].coordinator_cpu_s == 0.5


def test_a_coordinator_is_full_when_its_queries_take_a_core() -> None:
    slow = load(1, [5.0] * 10, coordinator=0.1, workers=0.1)
    fast = load(8, [5.0] * 100, coordinator=0.4, workers=1.2)
    limit = limit_per_second(report(slow, fast), "get")
    assert limit == {
        "clients": 8,
        "coordinator_cpu_ms": pytest.approx(4.0),
        "queries_per_second": pytest.approx(250.0),
        "worker_cpus": pytest.approx(3.0),
    }
    assert limit_per_second(report(load(1, [])), "get") is None
    assert limit_per_second(report(load(1, [1.0])), "get") is None  # too little to be counted


def test_tables_and_what_they_say(tmp_path: Path) -> None:
    found = report(
        load(1, [4.0, 12.0, 8.0, 6.0], coordinator=0.02, workers=0.04),
        load(1, [11.0], kind="select"),
        load(4, [], kind="select"),
    )
    found.parts_ms["get"] = [parts_of(10.0, RECORD), parts_of(12.0, RECORD)]
    text = markdown(found)
    lines = text.splitlines()
    assert lines[2] == "| get | 1 | 2.0 | 6.00 | 12.00 | 5.00 | 10.00 | 1 |"
    assert lines[4] == "| select | 4 | 0.0 | – | – | – | – | 0 |"
    assert "| get | 11.00 | 3.00 | 1.50 | 0.50 | 2.00 | 3.00 | 1.00 |" in lines
    assert "by get from one client: p50 6.0 ms, as wanted (under 10 ms)." in text
    assert "by select from one client: p50 11.0 ms, not as wanted (under 10 ms)." in text
    assert "full at 200 queries/s; workers need 2.0 cores for those." in text
    write_json(found, tmp_path / "found.json")
    content = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert content["coordinator_limits"]["select"] is None
    assert content["summary"][0]["queries_per_second"] == 2.0
