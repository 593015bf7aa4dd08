"""Flush, compaction and collection race writers for the same keys, for minutes, on real Ray.

MOBULA_RACE_S=300 races for so many seconds.
"""

from __future__ import annotations

import dataclasses
import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

import warehouse
from actors.primary.limits import CheckpointPolicy, KeyedLimits
from storage.collection.policy import RetentionPolicy
from storage.compaction_policy import CompactionPolicy
from storage.errors import Conflict
from storage.flush_policy import FlushPolicy
from warehouse import Database, RaySettings, Settings

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

RACE_S = float(os.environ.get("MOBULA_RACE_S", "120"))
KEYS = 3_000
WRITERS = 3
SETTINGS = Settings(
    keyed=KeyedLimits(
        flush=FlushPolicy(rows_max=2_000, deltas_max=200),
        compaction=CompactionPolicy(holes_max=0.05, depth_max=2, fan_in=2, small_files_max=4),
    ),
    checkpoints=CheckpointPolicy(tail_groups_max=20),
    retention=RetentionPolicy(
        retention_ms=3_000,
        every_ms=1_000,
        follow_ms=2_000,
        pack_ms=1_000,
        pack_groups=20,
        checkpoint_groups_max=50,
    ),
    ray=RaySettings(maintenance_bytes_min=1 << 14, maintenance_memory_bytes=64 << 20),
)


@dataclasses.dataclass(slots=True)
class Written:
    """What one writer has done to which key, and at which LSN; value None: deleted."""

    lsns: list[int] = dataclasses.field(default_factory=list)
    changes: list[dict[int, int | None]] = dataclasses.field(default_factory=list)


def write(db: Database, written: Written, own: int, until: threading.Event) -> None:
    source = random.Random(f"writer {own}")
    turn = 0
    while not until.is_set():
        turn += 1
        keys = source.sample(range(KEYS), source.choice([1, 30, 300]))
        value = None if source.random() < 0.3 else turn * WRITERS + own
        try:
            if value is None:
                receipt = db.table("t").delete(pl.DataFrame({"k": keys}))
            else:
                receipt = db.table("t").upsert(pl.DataFrame({"k": keys, "v": [value] * len(keys)}))
        except Conflict:  # nothing was written
            continue
        written.lsns.append(receipt.lsn)
        written.changes.append(dict.fromkeys(keys, value))


def possible(writers: Sequence[Written]) -> dict[int, set[int | None]]:
    """By key, what its last writers left: those of one group may be in any order."""
    newest: dict[int, tuple[int, set[int | None]]] = {}
    for written in writers:
        for lsn, changes in zip(written.lsns, written.changes, strict=True):
            for key, value in changes.items():
                known, values = newest.get(key, (0, set()))
                if lsn > known:
                    newest[key] = lsn, {value}
                elif lsn == known:
                    values.add(value)
    return {key: values for key, (_, values) in newest.items()}


@pytest.mark.parametrize("divided", ["", "PARTITION BY HASH (k) PARTITIONS 12"])
def test_maintenance_races_writers(tmp_path: Path, divided: str) -> None:
    sys.stdout.write(f"{RACE_S} s, {KEYS} keys, {WRITERS} writers\n")
    root = str(tmp_path / "db")
    db = warehouse.connect(root, settings=SETTINGS)
    columns = "k BIGINT PRIMARY KEY, v BIGINT NOT NULL"
    db.sql(f"CREATE TABLE t ({columns}) {divided} WITH (micropartition_rows = 500)")
    vw = db.create_virtual_warehouse("bi", size=1)
    over = threading.Event()
    writers = [Written() for _ in range(WRITERS)]
    threads = [
        threading.Thread(target=write, args=(db, written, own, over))
        for own, written in enumerate(writers)
    ]
    for thread in threads:
        thread.start()
    rounds, ends = 0, time.monotonic() + RACE_S
    while time.monotonic() < ends:
        for name in ("flush", "compact", "recluster"):
            db.sql(f"CALL mobula.{name}('t')")
        count, distinct = vw.sql("SELECT count(*), count(DISTINCT k) FROM t").rows()[0]
        assert count == distinct  # whatever version it is
        rounds += 1
    over.set()
    for thread in threads:
        thread.join()
    found = dict(vw.sql("SELECT k, v FROM t", min_lsn=db.snapshot().lsn).rows())
    wanted = possible(writers)
    wrong = {k: (found.get(k), wanted[k]) for k in wanted if found.get(k) not in wanted[k]}
    assert not wrong
    assert found.keys() <= wanted.keys()
    status = db.status()
    commits = sum(len(written.lsns) for written in writers)
    shown = ("flushes", "compactions", "horizon", "deleted_objects", "maintenance_tasks")
    sys.stdout.write(f"{rounds} rounds, {commits} commits, {[(k, status[k]) for k in shown]}\n")
    assert status["deleted_objects"] > 0
    assert status["last_error"] is None
    _every_version(db, found)
    db.shutdown()


def _every_version(db: Database, newest: dict[int, int]) -> None:
    """All that are retained can be read, and the last one is the newest."""
    db.sql("ALTER SYSTEM SET retention = '1 day'")  # what is there now stays
    snapshot = db.snapshot()
    for lsn in range(
        snapshot.horizon, snapshot.lsn + 1, max((snapshot.lsn - snapshot.horizon) // 10, 1)
    ):
        count, distinct = db.sql(
            f"SELECT count(*), count(DISTINCT k) FROM t AS OF LSN {lsn}"
        ).rows()[0]
        assert count == distinct
    assert dict(db.sql(f"SELECT k, v FROM t AS OF LSN {snapshot.lsn}").rows()) == newest
