"""The benchmark of upserts from end to end, with systems that are dictionaries of this process:
turns, time that is used up, failures, and rows that are not as they should be."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import upsert
from benchmarks.writers import WriterFailedError, WriterProcess, WriterSystem

STORES: dict[str, dict[int, int]] = {}  # by directory, as if they were on the disk
TURNS: list[str] = []


class Dictionary:
    """Answers as a system's process does. A batch takes 100 ms by its own word."""

    def __init__(self, name: str, fail: Callable[[int], bool], forget: bool) -> None:
        self.name = name
        self._fail = fail
        self._forget = forget
        self._rows: dict[int, int] = {}
        self._batches = 0

    def ask(self, seconds: float, **request: Any) -> dict[str, Any]:
        what = next(iter(request))
        return getattr(self, f"_{what}")(**request)

    def close(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def _load(self, load: list[str], directory: str) -> dict[str, Any]:
        STORES[directory] = {}
        for path in load:
            STORES[directory] |= _pairs(path)
        return {"version": "Dictionary 1", "seconds": 1.0}

    def _open(self, open: str) -> dict[str, Any]:  # noqa: A002
        self._rows = STORES[open]
        return {"version": "Dictionary 1", "seconds": 0.5}

    def _upsert(self, upsert: str) -> dict[str, Any]:
        TURNS.append(self.name)
        self._batches += 1
        if self._fail(self._batches):
            raise WriterFailedError(f"batch {self._batches} failed")
        if not (self._forget and self._batches == 2):
            self._rows |= _pairs(upsert)
        return {"ms": 100.0, "written_bytes": 1000, "put_bytes": 0}

    def _check(self, check: int) -> dict[str, Any]:
        return {"rows": len(self._rows), "sum_a": sum(self._rows.values())}

    def _usage(self, usage: int) -> dict[str, Any]:
        return {"peak_bytes": 1, "written_bytes": 1000 * self._batches, "cpu_ms": 0.0}


def _pairs(path: str) -> dict[int, int]:
    return dict(pl.read_parquet(path, columns=["id", "a"]).iter_rows())


class DictionarySystem(WriterSystem):
    """A system whose process is this one."""

    def start(self) -> WriterProcess:
        fail = {"breaks": lambda batch: batch == 3}.get(self.name, lambda batch: False)
        return Dictionary(self.name, fail, self.name == "forgets")  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def systems(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["sound", "breaks", "forgets", "small"]
    found = {
        name: DictionarySystem(
            name=name, command=list, synced=True, rows_max=500 if name == "small" else None
        )
        for name in names
    }
    monkeypatch.setattr(upsert, "SYSTEMS", found)
    monkeypatch.setattr(upsert, "DEFAULT_SYSTEMS", names)
    TURNS.clear()


def run(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Status and report of a run in a directory of its own."""
    places = ["--data", str(tmp_path / "data"), "--directory", str(tmp_path / "systems")]
    report = tmp_path / "upsert.json"
    status = upsert.main([*places, "--batch-rows", "100", "--json", str(report), *options])
    return status, json.loads(report.read_text(encoding="utf-8"))


def test_systems_take_turns_and_who_begins_changes(tmp_path: Path) -> None:
    options = ["--rows", "400", "--batches", "3", "--systems", "sound", "small"]
    status, report = run(tmp_path, *options)
    assert status == 0
    turns = [TURNS[place : place + 2] for place in range(0, 10, 2)]
    there, back = ["sound", "small"], ["small", "sound"]
    assert turns == [there, there, back, there, there]  # the first and last are no measured ones
    outcome = report["outcomes"]["400"]["sound"]
    assert outcome["times_ms"] == [100.0] * 3
    assert outcome["first_seconds"] == pytest.approx(0.6)
    assert outcome["written_bytes"] == 3000


def test_a_system_stops_when_its_time_is_used_up(tmp_path: Path) -> None:
    options = ["--rows", "400", "--batches", "9", "--seconds", "0.25", "--systems", "sound"]
    status, report = run(tmp_path, *options)
    assert status == 0
    assert len(report["outcomes"]["400"]["sound"]["times_ms"]) == 3


def test_one_that_fails_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    options = ["--rows", "400", "--batches", "4", "--systems", "sound", "breaks", "forgets"]
    status, report = run(tmp_path, *options)
    found = report["outcomes"]["400"]
    assert status == 1
    assert found["breaks"]["failure"] == "batch 3 failed"
    assert len(found["breaks"]["times_ms"]) == 1
    assert found["forgets"]["failure"].startswith("wrong: ")
    assert found["sound"]["failure"] is None
    assert len(found["sound"]["times_ms"]) == 4


def test_a_system_takes_part_up_to_its_size(tmp_path: Path) -> None:
    options = ["--rows", "400", "800", "--batches", "1", "--systems", "sound", "small"]
    _, report = run(tmp_path, *options)
    assert list(report["outcomes"]["400"]) == ["sound", "small"]
    assert list(report["outcomes"]["800"]) == ["sound"]


ECHO = "import sys\nfor line in sys.stdin: print(line, flush=True, end='')"


def test_a_process_answers_until_it_is_closed() -> None:
    process = WriterProcess("echo", [sys.executable, "-c", ECHO])
    assert process.ask(60, upsert="path") == {"upsert": "path"}
    with pytest.raises(WriterFailedError, match="its own words"):
        process.ask(60, error="its own words")
    process.close()


def test_a_process_that_does_not_answer_in_time_is_ended() -> None:
    process = WriterProcess("mute", [sys.executable, "-c", "import sys; sys.stdin.read()"])
    with pytest.raises(WriterFailedError, match=r"no answer to upsert within 0\.01 s"):
        process.ask(0.01, upsert="path")
    process.close()


def test_a_process_that_dies_has_failed() -> None:
    process = WriterProcess("dead", [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(WriterFailedError, match="ended"):
        process.ask(60, upsert="path")
    process.close()
