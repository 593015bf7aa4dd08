"""The report of the benchmark of upserts: percentiles, rows of the table, failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.upsert_report import Outcome, UpsertReport, markdown, percentile, write_json


@pytest.mark.parametrize(
    ("percent", "found"), [(0, 10), (50, 20), (51, 30), (75, 30), (76, 40), (99, 40), (100, 40)]
)
def test_a_percentile_is_a_value_that_was_measured(percent: float, found: float) -> None:
    assert percentile([40, 10, 30, 20], percent) == found


def test_the_99th_of_200_leaves_two_above() -> None:
    assert percentile(range(1, 201), 99) == 198


def make_report(**outcomes: Outcome) -> UpsertReport:
    return UpsertReport(
        batch_rows=10_000,
        batches=3,
        seconds=60,
        seed=1,
        machine={},
        batch_parquet_bytes=262_000,
        outcomes={2_000_000: outcomes},
    )


MEASURED = Outcome(
    version="Swift 1.0",
    load_seconds=12.34,
    disk_bytes=80_000_000,
    first_seconds=0.256,
    again_seconds=0.5,
    times_ms=[50.0, 40.0, 110.0],
    commit_bytes=[300_000, 310_000, 9_000_000],
    written_bytes=12_000_000,
    cpu_ms=180.0,
    peak_bytes=400_000_000,
)


def test_a_row_has_means_over_all_batches_and_medians_of_each() -> None:
    line = markdown(make_report(swift=MEASURED)).splitlines()[2]
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "2,000,000",
        "swift (Swift 1.0)",
        "150,000",
        "50",
        "110",
        "3",
        "yes",
        "310",
        "4,000",
        "60",
        "400",
        "12",
        "80",
        "0.26",
        "0.50",
    ]


def test_a_system_without_a_batch_has_dashes_and_says_why() -> None:
    failed = Outcome(version="Slow 2.0", synced=False, load_seconds=3.0, failure="no answer")
    text = markdown(make_report(slow=failed))
    assert "| slow (Slow 2.0) | – | – | – | 0 | no | – |" in text
    assert text.splitlines()[-1] == "slow, 2,000,000 rows: no answer"


def test_the_file_has_every_raw_time_and_the_summary(tmp_path: Path) -> None:
    path = tmp_path / "results" / "upsert.json"
    write_json(make_report(swift=MEASURED), path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["outcomes"]["2000000"]["swift"]["times_ms"] == [50.0, 40.0, 110.0]
    assert found["summary"][0]["p99_ms"] == 110.0
