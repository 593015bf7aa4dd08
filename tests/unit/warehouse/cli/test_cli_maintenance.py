"""`mobula compact` and `mobula stats`."""

from __future__ import annotations

import asyncio
import json
import threading
from io import StringIO
from typing import Any

import polars as pl
import pytest
from rich.console import Console

import warehouse
from actors.primary.rewriter import OwnRewriter
from tests.unit.warehouse.cli.conftest import Mobula
from warehouse.cli import maintenance as command


@pytest.fixture
def shop(root: str) -> str:
    """A table of two files that overlap, one with a hole, and a delta; and another table."""
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE orders (id BIGINT PRIMARY KEY, v BIGINT)")
        for first in (0, 1):
            frame = pl.DataFrame({"id": range(first, 100, 2), "v": [first] * 50})
            db.table("orders").insert(frame)
            db.sql("CALL mobula.flush('orders')")
        db.sql("DELETE FROM orders WHERE id = 8")
        db.sql("INSERT INTO orders VALUES (200, 1)")
        db.sql("CREATE TABLE plain (v BIGINT)")
    return root


def test_stats_of_all_tables_and_of_one(mobula: Mobula, shop: str) -> None:
    orders, plain = json.loads(mobula("stats", shop, "--format", "json").stdout)
    assert (orders["table"], orders["rows"], orders["deleted_rows"]) == ("public.orders", 100, 1)
    assert (orders["delta_rows"], orders["level_0"], orders["level_1"]) == (1, 2, 0)
    assert (orders["order"], orders["depth_max"], orders["depth_mean"]) == ("(id)", 2, 2.0)
    assert (orders["index_runs"], orders["read_amplification"]) == (2, 1.01)
    assert orders["space_amplification"] > 1
    assert orders["write_amplification"] is None  # no primary runs here
    assert (plain["table"], plain["order"], plain["depth_max"]) == ("public.plain", None, None)
    shown = mobula("stats", shop, "orders").stdout
    assert "space amplification" in shown
    assert "public.plain" not in shown
    header, *lines = mobula("stats", shop, "--format", "csv", "public.plain").stdout.splitlines()
    assert header.startswith("table,rows,deleted_rows")
    assert lines == ["public.plain,0,0,0,0,0,0,0,0,0,,,,1.0,1.0,,"]


def test_compact_takes_holes_and_with_recluster_overlaps(mobula: Mobula, shop: str) -> None:
    assert mobula("compact", shop).stderr.splitlines() == [
        "public.orders: 1 files were rewritten",
        "public.plain: 0 files were rewritten",
    ]
    (found,) = json.loads(mobula("stats", shop, "orders", "--format", "json").stdout)
    assert (found["deleted_rows"], found["delta_rows"], found["depth_max"]) == (0, 0, 2)
    said = mobula("compact", shop, "orders", "--recluster").stderr
    assert said == "public.orders: 2 files were rewritten\n"
    (found,) = json.loads(mobula("stats", shop, "orders", "--format", "json").stdout)
    assert (found["depth_max"], found["level_1"], found["rows"]) == (1, 1, 100)


def test_a_table_that_is_not_there(mobula: Mobula, shop: str) -> None:
    for name in ("stats", "compact"):
        assert mobula(name, shop, "order").error == (
            "table order does not exist; did you mean orders?"
        )


def test_at_a_terminal_the_task_that_runs_is_shown(
    mobula: Mobula, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = StringIO()
    monkeypatch.setattr(
        command, "Console", lambda **_: Console(file=screen, force_terminal=True, width=100)
    )
    monkeypatch.setattr(command, "LOOK_S", 0.0)
    shown, own, update = threading.Event(), OwnRewriter.rewrite, command.Progress.update

    def updated(self: Any, task: Any, **more: Any) -> None:
        update(self, task, **more)
        self.refresh()
        shown.set()

    async def seen(self: Any, work: Any, progress: Any) -> Any:
        """Ends once it has been shown."""
        progress(41)
        await asyncio.to_thread(shown.wait, 30)
        return await own(self, work, progress)

    monkeypatch.setattr(command.Progress, "update", updated)
    monkeypatch.setattr(OwnRewriter, "rewrite", seen)
    mobula("compact", shop, "orders")
    assert "flush public.orders" in screen.getvalue()
    assert "41/1" in screen.getvalue()
