"""Which times count for which phase, the ratios between them, and the tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.clients import Timed
from benchmarks.isolation_report import (
    Counted,
    IsolationReport,
    Phase,
    markdown,
    typical_ratio,
    within,
    write_json,
)


def call(begun: float, ms: float, label: str = "commit") -> Timed:
    return Timed(label=label, begun=begun, ended=begun + ms / 1000)


def phase(begun: float, loaded: bool = False) -> Phase:
    return Phase(loaded=loaded, begun=begun, ended=begun + 1.0)


def report() -> IsolationReport:
    return IsolationReport(
        rounds=2,
        seconds=1.0,
        scale_factor=0.1,
        batch_rows=1_000,
        rate=10.0,
        clients=2,
        seed=1,
        machine={},
    )


def test_a_call_counts_for_the_phase_that_it_began_in() -> None:
    times = [call(0.5, 1), call(1.0, 2), call(1.9, 900, "slow"), call(2.0, 4), call(5.5, 5)]
    found = within(times, [phase(1.0), phase(5.0)])
    assert found == {
        "commit": [pytest.approx(2), pytest.approx(5)],
        "slow": [pytest.approx(900)],
    }


def test_the_typical_ratio_weighs_all_labels_alike() -> None:
    alone = {"short": [1.0, 1.0, 9.0], "long": [100.0], "never again": [1.0]}
    loaded = {"short": [4.0], "long": [100.0], "new": [7.0]}
    assert typical_ratio(alone, loaded) == pytest.approx(2.0)
    assert typical_ratio({}, loaded) is None


def test_a_row_for_what_was_measured_and_one_for_each_counter(tmp_path: Path) -> None:
    found = report()
    times = [call(1.1, 10), call(1.2, 20), call(3.1, 10), call(3.2, 30), call(2.5, 999)]
    found.add("commit", times, [phase(1.0), phase(3.0, loaded=True)])
    found.add("query", [call(1.5, 8, "query 1")], [phase(1.0), phase(3.0, loaded=True)])
    found.counted.append(
        Counted(who="one", span="nobody asks", seconds=2, queries=0, requests=2, read_bytes=1_234)
    )
    lines = markdown(found).splitlines()
    assert lines[2] == "| commit | 2 | 10.0 | 20.0 | 2 | 10.0 | 30.0 | 1.00 | 1.33 | 1.50 |"
    assert lines[3] == "| query | 1 | 8.0 | 8.0 | 0 | – | – | – | – | – |"
    assert lines[-1] == "| one | nobody asks | 2.0 | 0 | 2 | 1,234 |"
    write_json(found, tmp_path / "found.json")
    content = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert content["times_ms"]["commit"]["loaded"]["commit"] == pytest.approx([10, 30])
    assert content["summary"][0]["p99_ratio"] == pytest.approx(1.5)
