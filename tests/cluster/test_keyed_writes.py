"""Tables with keys on real processes: the primary is killed under upserts, clients are tasks."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
import ray

import warehouse
from actors.primary.limits import KeyedLimits
from storage.flush_policy import FlushPolicy
from tests.property.index_check import check_indexes
from tests.property.keyed_history import primary_of
from warehouse import Database, IngestToken, Settings

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SHARED = 50
EACH = 10  # rows of a batch
SETTINGS = Settings(keyed=KeyedLimits(flush=FlushPolicy(rows_max=200, deltas_max=20)))


def made(path: Path) -> Database:
    """A database with a table of counters."""
    database = warehouse.connect(str(path / "db"), settings=SETTINGS)
    database.sql("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    return database


def counters(values: dict[int, int]) -> pl.DataFrame:
    schema = {"id": pl.Int64, "n": pl.Int64}
    return pl.DataFrame({"id": list(values), "n": list(values.values())}, schema=schema)


def check_index(root: str, rows: int) -> None:
    """What a primary in this process finds of what the others have left."""
    with warehouse.connect(root, engine="local", settings=SETTINGS) as local:
        primary = primary_of(local)
        found = local._engine._loop.run(  # type: ignore[attr-defined]
            check_indexes(primary, local._engine.store)  # type: ignore[attr-defined]
        )
        assert found == rows
        assert primary.snapshot.find_table("counters").row_count == rows  # type: ignore[union-attr]


def test_killed_primary_loses_no_upsert_and_does_none_twice(tmp_path: Path) -> None:
    """Each batch writes shared keys and one of its own, and is repeated with its token: a batch
    that is done again later would bring old values back."""
    seed = 20261128
    sys.stdout.write(f"seed {seed}\n")
    source = random.Random(seed)
    database = made(tmp_path)
    expected: dict[int, int] = {}
    failures: list[BaseException] = []
    batches = 0
    stop = threading.Event()

    def write() -> None:
        nonlocal batches
        try:
            while not stop.is_set():
                keys = [*source.sample(range(SHARED), EACH), 1_000 + batches]
                rows = dict.fromkeys(keys, batches)
                token = IngestToken(writer="stream", sequence=batches + 1)
                first = database.table("counters").upsert(counters(rows), token=token)
                assert database.table("counters").upsert(counters(rows), token=token) == first
                expected.update(rows)
                batches += 1
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for kills in range(4):
            reached = batches + 5 + 7 * kills
            while batches < reached and not failures:
                stop.wait(0.01)
            if kills < 3 and not failures:
                os.kill(database.status()["pid"], signal.SIGKILL)
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert dict(database.sql("SELECT id, n FROM counters").rows()) == expected
    some = source.sample(sorted(expected), 20)
    got = dict(database.table("counters").get(some).rows())
    assert got == {key: expected[key] for key in some}
    assert database.status()["epoch"] == 4
    database.shutdown()
    check_index(database.root, len(expected))


@ray.remote(num_cpus=0.1)
def increments(root: str, count: int) -> int:
    """Read-modify-write in transactions, from a process of its own."""
    database = warehouse.connect(root, settings=SETTINGS)
    for number in range(count):
        for tx in database.transaction(retry=200):
            with tx:
                ((_, n),) = tx.table("counters").get([number % 2]).rows()
                tx.table("counters").upsert(counters({number % 2: n + 1}))
    database.close()
    return count


def test_processes_lose_no_increment(tmp_path: Path) -> None:
    db = made(tmp_path)
    db.table("counters").insert(counters({0: 0, 1: 0}))
    done = sum(ray.get([increments.remote(db.root, 8) for _ in range(3)]))
    assert db.sql("SELECT sum(n) FROM counters").scalar() == done
    db.shutdown()
    check_index(db.root, 2)
