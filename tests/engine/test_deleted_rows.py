"""Deleted rows in the log reach every reader: queries, AS OF, checkpoints, counts.

A group with delete bitmaps is put into the log by hand, between two openings of the database.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Iterable, Mapping

import polars as pl

import warehouse
from actors.primary.limits import KeyedLimits
from storage.clock import SystemClock
from storage.compaction_policy import CompactionPolicy
from storage.delete_bitmap import Positions, encode_positions
from storage.log.record import Group, GroupHeader
from storage.log.writer import LogWriter
from storage.objects.factory import open_store
from storage.snapshot.changes import AddBitmaps, Bitmap
from storage.snapshot.model import Snapshot
from tests.engine.conftest import SELDOM_ON_RAY, SMALL
from warehouse import Database


def delete(root: str, after: Snapshot, table_id: int, rows: Mapping[int, Iterable[int]]) -> int:
    """The next group deletes these rows, by id of their file or delta. Returns its LSN."""
    bitmaps = tuple(
        Bitmap(file_id=n, deleted_count=len(p := Positions(at)), positions=encode_positions(p))
        for n, at in rows.items()
    )
    clock = SystemClock()
    header = GroupHeader(
        database_id=after.database_id,
        branch_id=after.branch_id,
        lsn=after.lsn + 1,
        tso=after.tso + 1,
        epoch=after.epoch,
        writer_id="test",
        nonce=secrets.token_hex(16),
        previous=after.checksum,
        transactions=(),
    )
    group = Group(header=header, tables={table_id: (AddBitmaps(bitmaps=bitmaps),)})
    writer = LogWriter(open_store(root, None, clock=clock), clock, next_lsn=header.lsn)
    asyncio.run(writer.append(group))
    return header.lsn


SETTINGS = dataclasses.replace(
    SMALL,
    keyed=KeyedLimits(
        compaction=CompactionPolicy(holes_max=2.0, depth_max=1 << 30)
    ),  # files stay as they are
)


def opened(root: str, engine: str) -> Database:
    return warehouse.connect(root, engine=engine, settings=SETTINGS)


@SELDOM_ON_RAY
def test_deleted_rows_are_gone_from_their_snapshot_on(root: str, engine: str) -> None:
    db = opened(root, engine)
    db.sql("CREATE TABLE t (a BIGINT, b TEXT)")
    db.table("t").append(pl.DataFrame({"a": range(50_000), "b": ["x"] * 50_000}))  # a file
    db.table("t").append(pl.DataFrame({"a": [50_000, 50_001], "b": ["y", "z"]}))
    table = db.snapshot().find_table("t")
    assert table is not None
    (file_id,), (delta,) = table.files.table["file_id"].to_pylist(), table.deltas
    before = db.snapshot()
    db.shutdown()

    first = delete(root, before, table.id, {file_id: range(0, 50_000, 2), delta.id: [1]})
    db = opened(root, engine)
    try:
        counts = "SELECT count(*), min(a), max(a), count(DISTINCT b) FROM t"
        assert db.sql(counts).rows() == [(25_001, 1, 50_000, 2)]
        assert db.sql("SELECT a FROM t WHERE a BETWEEN 100 AND 104 ORDER BY a").rows() == [
            (101,),
            (103,),
        ]
        asked = f"{counts} AS OF LSN {{}}"
        assert db.sql(asked.format(before.lsn)).rows() == [(50_002, 0, 50_001, 3)]
        assert db.sql(asked.format(first)).rows() == [(25_001, 1, 50_000, 2)]
        now = db.snapshot().find_table("t")
        assert now is not None
        assert (now.row_count, now.stored_row_count) == (25_001, 50_002)
        assert db.sql("SELECT count(*) FROM t").stats.rows_scanned == 50_002
        # the primary goes on from it, and a checkpoint has it
        db.sql("INSERT INTO t VALUES (-1, 'w')")
        db.sql("CALL mobula.checkpoint()")
        after = db.snapshot()
    finally:
        db.shutdown()

    delete(root, after, table.id, {file_id: [1], delta.id: [0, 1]})
    db = opened(root, engine)
    try:
        assert db.sql(counts).rows() == [(25_000, -1, 49_999, 2)]
        assert db.sql(asked.format(first)).rows() == [(25_001, 1, 50_000, 2)]
    finally:
        db.shutdown()
