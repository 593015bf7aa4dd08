"""A flush or compaction as a value: it has what it needs, nothing else, and survives pickling."""

from __future__ import annotations

import pickle

from actors.operations import WriteMode
from storage.compaction_plan import RewriteTask
from storage.rewriting import Rewriting, rewrite
from tests.fakes import CountedIds
from tests.unit.actors.primary.keyed import PRIMARY, Keyed, keyed

INSERT, UPSERT = WriteMode.INSERT, WriteMode.UPSERT


async def filled(db: Keyed) -> None:
    for first in (0, 10, 20):
        await db.write(INSERT, *((k, k * 10, "a") for k in range(first, first + 10)))
        await db.flush()
    await db.write(UPSERT, (3, 31, "b"), (15, 151, "b"))
    await db.delete(21, 22)


def test_a_flush_takes_deltas_alone() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        await db.write(UPSERT, (3, 32, "c"))
        target = db.primary.table("public", "t").target
        work = pickle.loads(pickle.dumps(Rewriting.flush(db.table, target)))
        assert (work.kind, len(work.table.files), work.table.index_runs) == ("flush", 0, ())
        assert (len(work.table.deltas), work.row_count) == (2, 2)
        assert set(work.table.bitmaps) == {work.table.deltas[0].id}
        assert work.size_bytes == sum(len(d.rows) for d in db.table.deltas)
        done: list[int] = []
        result = await rewrite(db.store, work, ids=CountedIds("w"), progress=done.append)
        assert done == [2]
        assert pickle.loads(pickle.dumps(result)).gone == tuple(d.id for d in db.table.deltas)
        assert [f.row.row_count for f in result.files] == [2]

    keyed(test, PRIMARY)


def test_a_compaction_takes_its_files_alone() -> None:
    async def test(db: Keyed) -> None:
        await filled(db)
        chosen = db.table.files.ids[:2]
        task = RewriteTask(kind="merge", file_ids=chosen, level=1, partition=0)
        target = db.primary.table("public", "t").target
        work = pickle.loads(pickle.dumps(Rewriting.compaction(db.table, target, task)))
        assert (work.kind, work.table.files.ids, work.table.deltas) == ("compact", chosen, ())
        assert (work.row_count, set(work.table.bitmaps)) == (18, set(chosen))
        result = await rewrite(db.store, work, ids=CountedIds("w"))
        assert [(f.row.row_count, f.row.level) for f in result.files] == [(18, 1)]

    keyed(test, PRIMARY)
