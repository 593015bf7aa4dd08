"""The benchmark of sustained upserts from end to end, with systems that are dictionaries of this
process: turns, who is stopped meanwhile, failures, and rows that are not as they should be."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks import sustained
from benchmarks.calibration import calibration
from benchmarks.keyed_rows import batch, table_files
from benchmarks.sustained import Model, digests
from benchmarks.sustained_report import Run, SustainedReport, Turn, markdown, summary
from benchmarks.writers import WriterFailedError, WriterProcess, WriterSystem

STORES: dict[str, dict[int, int]] = {}  # by directory, as if they were on the disk
TOLD: list[str] = []


class Dictionary:
    """Answers as a system's process does: two batches in a turn, or three."""

    def __init__(self, name: str, batches: int, forgets: bool) -> None:
        self.name = name
        self._batches = batches
        self._forgets = forgets
        self._rows: dict[int, int] = {}

    def ask(self, seconds: float, **request: Any) -> dict[str, Any]:
        what = next(iter(request))
        return getattr(self, f"_{what}")(**request)

    def pause(self) -> None:
        TOLD.append(f"{self.name} stops")

    def resume(self) -> None:
        TOLD.append(f"{self.name} goes on")

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def _load(self, load: list[str], directory: str) -> dict[str, Any]:
        STORES[directory] = {}
        for path in load:
            rows = pq.read_table(path)
            found = zip(rows["id"].to_pylist(), digests(rows).tolist(), strict=True)
            STORES[directory] |= dict(found)
        return {"version": "Dictionary 1", "seconds": 1.0}

    def _open(self, open: str) -> dict[str, Any]:  # noqa: A002
        self._rows = STORES[open]
        return {"version": "Dictionary 1"}

    def _turn(self, turn: float, first: int, pause: float, **how: Any) -> dict[str, Any]:
        if self.name == "breaks" and first:
            raise WriterFailedError("the second turn failed")
        for number in range(first, first + self._batches):
            if self._forgets and number == 1:
                continue
            rows = batch(how["table_rows"], how["batch_rows"], number, how["seed"])
            self._rows |= dict(zip(rows["id"].to_pylist(), digests(rows).tolist(), strict=True))
        return {
            "batches": self._batches,
            "seconds": 0.5,
            "commit_ms": [10.0] * self._batches,
            "query_ms": [5.0],
            "rss_bytes": 1_000_000,
            "files": 7,
            "foreground_bytes": 1_000_000,
            "background_bytes": 2_000_000,
        }

    def _check(self, check: int) -> dict[str, Any]:
        return {"rows": len(self._rows), "checksum": sum(self._rows.values())}


class Slowing:
    """A machine that is slower each time."""

    def __init__(self) -> None:
        self.left = 100.0

    def speed(self) -> float:
        self.left -= 10
        return self.left + 10


class DictionarySystem(WriterSystem):
    """A system whose process is this one."""

    def start(self) -> WriterProcess:
        batches = 3 if self.name == "fast" else 2
        return Dictionary(self.name, batches, self.name == "forgets")  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def systems(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("sound", "fast", "breaks", "forgets")
    found = {name: DictionarySystem(name=name, command=list, synced=True) for name in names}
    monkeypatch.setattr(sustained, "sustained_systems", lambda partitions, every: found)
    monkeypatch.setattr(sustained, "NAMES", names)
    monkeypatch.setattr(sustained, "calibration", lambda: contextlib.nullcontext(Slowing()))
    TOLD.clear()


def run(tmp_path: Path, *names: str) -> tuple[int, dict[str, Any]]:
    """Status and report of a run of two turns in a directory of its own."""
    report = tmp_path / "sustained.json"
    status = sustained.main(
        [
            *("--data", str(tmp_path / "data"), "--directory", str(tmp_path / "systems")),
            *("--rows", "400", "--batch-rows", "100", "--minutes", "2", "--json", str(report)),
            *("--systems", *names),
        ]
    )
    return status, json.loads(report.read_text(encoding="utf-8"))


def test_systems_take_turns_and_the_others_are_stopped(tmp_path: Path) -> None:
    status, report = run(tmp_path, "sound", "fast")
    assert status == 0
    assert [
        *("sound stops", "fast stops"),
        *("sound goes on", "sound stops", "fast goes on", "fast stops"),
        *("fast goes on", "fast stops", "sound goes on", "sound stops"),
        *("sound goes on", "fast goes on"),  # to be checked
    ] == TOLD
    assert [turn["batches"] for turn in report["runs"]["fast"]["turns"]] == [3, 3]
    assert report["summary"][0]["rows_per_second"] == 400
    assert report["summary"][0]["background_mb"] == 2.0
    speeds = {
        n: [turn["machine_speed"] for turn in run["turns"]] for n, run in report["runs"].items()
    }
    assert speeds == {"sound": [95, 65], "fast": [85, 75]}
    assert [round(one["machine"], 3) for one in report["summary"]] == [1.0, 0.684, 0.895, 0.789]


def test_one_that_fails_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    status, report = run(tmp_path, "breaks", "forgets", "sound")
    assert status == 1
    found = report["runs"]
    assert found["breaks"]["failure"] == "the second turn failed"
    assert len(found["breaks"]["turns"]) == 1
    assert found["forgets"]["failure"].startswith("wrong: ")
    assert found["sound"]["failure"] is None


def test_the_model_is_what_batches_one_after_the_other_make(tmp_path: Path) -> None:
    options = argparse.Namespace(rows=400, batch_rows=100, seed=1)
    tables = table_files(tmp_path, 400, 1)
    model, known = Model(tables, options), dict[int, int]()
    for rows in [pq.read_table(path) for path in tables]:
        known |= dict(zip(rows["id"].to_pylist(), digests(rows).tolist(), strict=True))
    assert model.after(0) == (400, sum(known.values()))
    for number in range(5):
        rows = batch(400, 100, number, 1)
        known |= dict(zip(rows["id"].to_pylist(), digests(rows).tolist(), strict=True))
    assert model.after(5) == (650, sum(known.values()))
    assert model.after(5) == (650, sum(known.values()))


def test_a_digest_tells_rows_apart() -> None:
    rows = batch(400, 100, 0, 1)
    assert len(np.unique(digests(rows))) == 100
    assert (digests(rows) != digests(batch(400, 100, 1, 1))).all()


def test_the_machine_has_a_speed() -> None:
    with calibration(seconds=0.01) as machine:
        assert machine.speed() > 0


def test_the_report_says_what_it_costs() -> None:
    numbers = {"foreground_bytes": 1e6, "background_bytes": 3e6, "delta_rows": 5.0}
    turn = Turn(
        batches=4, seconds=2.0, commit_ms=[1.0, 2.0], query_ms=[], rss_bytes=9, numbers=numbers
    )
    report = SustainedReport(
        table_rows=1, batch_rows=10, partitions=0, turn_seconds=60, seed=1, machine={}
    )
    report.runs = {"a": Run(version="A 1", turns=[turn]), "b": Run(version="B 1", failure="no")}
    (found,) = summary(report)
    assert (found["rows_per_second"], found["p99_ms"], found["query_p50_ms"]) == (20.0, 2.0, None)
    text = markdown(report)
    assert "| a | 1 | 20 | 1 | 2 | - | 5 | - | - | 1 | 3 | 0.0 | - |" in text
    assert "a (A 1): 4 batches, write amplification 4.00, slowest minute 1.00 of" in text
    assert "b (B 1): no" in text
