"""Flushes and compactions as tasks of a cluster, while processes write."""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

import warehouse
from actors.primary.limits import KeyedLimits
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.overlap import extents
from warehouse import Database, RaySettings, Settings

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

KEYS = 2_000
SETTINGS = Settings(
    keyed=KeyedLimits(
        flush=FlushPolicy(rows_max=1_000, deltas_max=1_000),
        compaction=CompactionPolicy(depth_max=2, fan_in=2, small_files_max=4),
    ),
    ray=RaySettings(maintenance_bytes_min=0, maintenance_memory_bytes=64 << 20),
)


def frame(keys: list[int], value: int) -> pl.DataFrame:
    return pl.DataFrame({"k": keys, "v": [value] * len(keys)})


def test_tasks_rewrite_while_others_write(tmp_path: Path) -> None:
    """Every writer has keys of its own; what is there in the end is what each has written last."""
    db = warehouse.connect(str(tmp_path / "db"), settings=SETTINGS)
    db.sql(
        "CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT NOT NULL) WITH (micropartition_rows = 500)"
    )
    last: dict[int, int] = {}

    def write(own: int) -> None:
        source = random.Random(f"writer {own}")
        for turn in range(12):
            keys = [k * 2 + own for k in source.sample(range(KEYS), 300)]
            db.table("t").upsert(frame(keys, turn))
            last.update(dict.fromkeys(keys, turn))

    writers = [threading.Thread(target=write, args=(own,)) for own in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    db.sql("CALL mobula.flush('t')")
    db.sql("CALL mobula.compact('t')")
    db.sql("CALL mobula.recluster('t')")
    assert rows(db) == last
    table = db.snapshot().find_table("t")
    assert table is not None
    assert int(extents(table.files, table.sort_order).depths()[1].max()) == 1
    assert dict(table.bitmaps) == {}
    status = db.status()
    assert status["maintenance_tasks"] == status["flushes"] + status["compactions"] > 2
    assert status["maintenance_displaced"] == 0
    seen = db.sql(
        "SELECT kind, count(*), bool_and(state = 'succeeded' AND rows_done > 0)"
        " FROM mobula.tasks() WHERE table_name = 'public.t' GROUP BY 1 ORDER BY 1"
    ).rows()
    assert seen == [("compact", status["compactions"], True), ("flush", status["flushes"], True)]
    vw = db.create_virtual_warehouse("bi", size=1)
    assert vw.sql("SELECT count(*) FROM mobula.tasks()").rows() == [
        (status["flushes"] + status["compactions"],)
    ]
    db.shutdown()


def rows(db: Database) -> dict[int, int]:
    sys.stdout.write(f"{db.status()}\n")
    return dict(db.sql("SELECT k, v FROM t").rows())


def test_a_cluster_without_room_does_not_stop_maintenance(tmp_path: Path) -> None:
    cramped = Settings(
        ray=RaySettings(
            maintenance_bytes_min=0, maintenance_memory_bytes=1 << 42, maintenance_start_s=1.0
        )
    )
    db = warehouse.connect(str(tmp_path / "db"), settings=cramped)
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT NOT NULL)")
    db.table("t").upsert(frame([1, 2, 3], 7))
    assert db.sql("CALL mobula.flush('t')").tag == "FLUSH 1"
    assert rows(db) == {1: 7, 2: 7, 3: 7}
    status = db.status()
    assert (status["maintenance_tasks"], status["maintenance_displaced"]) == (1, 1)
    db.shutdown()
