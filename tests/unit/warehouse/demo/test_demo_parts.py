"""The demo's parts that need no Ray: the stream of appends and counts, and the report."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import warehouse
from actors.fragments import QueryStats
from storage.clock import SystemClock
from storage.errors import InvalidRequest
from warehouse.demo import run
from warehouse.demo.report import Measured, next_steps, queries_table, stream_text
from warehouse.demo.stream import BATCH_ROWS, Stream, streaming


def test_counts_see_whole_batches_and_at_last_all(tmp_path: Path) -> None:
    with warehouse.connect(str(tmp_path / "db"), engine="local") as db:
        adhoc = db.create_virtual_warehouse("adhoc")
        with streaming(db, adhoc, SystemClock()) as stream:
            while stream.batches < 3:
                db.sql("SELECT 1")
    assert stream.counts[-1] == stream.batches * BATCH_ROWS
    assert stream.counts == sorted(stream.counts)
    assert stream.commits_per_s > 0


def test_an_error_in_the_background_is_raised(tmp_path: Path) -> None:
    with warehouse.connect(str(tmp_path / "db"), engine="local") as db:
        adhoc = db.create_virtual_warehouse("adhoc")
        with pytest.raises((warehouse.UnknownObject, warehouse.Conflict)):
            _drop_while_streaming(db, adhoc)


def _drop_while_streaming(db: warehouse.Database, adhoc: warehouse.VirtualWarehouse) -> None:
    with streaming(db, adhoc, SystemClock()) as stream:
        db.sql("DROP TABLE events")
        while not stream.errors:
            db.sql("SELECT 1")


def test_the_report_adds_up() -> None:
    stats = QueryStats(files_total=10, files_scanned=2, bytes_fetched=3 << 20)
    measured = [Measured(query=q, ms=1.4, rows=1_000, stats=stats) for q in (1, 2)]
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(queries_table(measured))
    text = console.export_text()
    assert "1,000" in text
    assert "4 of 20" in text
    assert "6.0 MiB" in text


def test_growth_ends_with_the_last_count() -> None:
    stream = Stream(batches=3, elapsed_ms=1_000.0, counts=[0, 100, 200, 300])
    assert "0 … 100 … 200 … 300" in stream_text(stream)
    assert "3 a second" in stream_text(stream)


def test_next_steps_name_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "MOBULA_ROOT=./.demo/database\n" in str(next_steps(tmp_path / ".demo" / "database"))


def test_what_is_no_database_of_a_demo_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "database" / "mine.txt"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(InvalidRequest, match="move it away"):
        run(tmp_path, 0.01, Console(quiet=True))
    assert mine.exists()
