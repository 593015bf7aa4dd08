"""What maintenance tells of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.operations import WriteMode
from storage.errors import OutOfMemory, Unavailable
from storage.rewriting import Rewriting
from tests.unit.actors.primary.keyed import PRIMARY, Keyed, keyed
from tests.unit.actors.primary.test_maintainer import until
from tests.unit.actors.primary.test_recluster import OFTEN, with_overlaps

INSERT = WriteMode.INSERT


def test_a_task_that_runs_is_seen_and_then_is_over() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, *((k, k, "a") for k in range(10)))
        rewriter, go_on = db.primary._maintainer.rewriter, asyncio.Event()
        own = rewriter.rewrite

        async def held(work: Rewriting, progress: Any) -> Any:
            progress(4)
            await go_on.wait()
            return await own(work, progress)

        rewriter.rewrite = held  # type: ignore[method-assign]
        flushing = asyncio.create_task(db.primary.flush())
        await until(lambda: bool(db.primary.maintenance.records()))
        (record,) = db.primary.maintenance.records()
        assert (record.kind, record.table_name, record.state) == ("flush", "public.t", "running")
        assert (record.deltas, record.row_count, record.rows_done) == (1, 10, 4)
        assert record.ended_at is None
        go_on.set()
        await flushing
        (record,) = db.primary.maintenance.records()
        assert (record.state, record.rows_done, record.error) == ("succeeded", 10, None)
        size = sum(run.size_bytes for run in db.table.index_runs) + db.table.files.size_bytes
        assert record.written_bytes == size
        assert record.ended_at is not None
        status = db.primary.status()
        assert (status["flushes"], status["flushed_bytes"]) == (1, size)

    keyed(test, PRIMARY)


def test_a_task_that_fails_says_why() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 1, "a"))

        async def fails(work: Rewriting, progress: Any) -> Any:
            raise Unavailable("no such luck")

        db.primary._maintainer.rewriter.rewrite = fails  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="luck"):
            await db.primary.flush()
        (record,) = db.primary.maintenance.records()
        assert (record.state, record.error) == ("failed", "no such luck")
        assert db.primary.status()["flushes"] == 0

    keyed(test, PRIMARY)


def test_files_that_no_memory_holds_are_left_as_they_are() -> None:
    """And not tried again and again."""

    async def test(db: Keyed) -> None:
        await with_overlaps(db, 9, files=2)
        rewriter, tried = db.primary._maintainer.rewriter, 0
        own = rewriter.rewrite

        async def too_large(work: Rewriting, progress: Any) -> Any:
            nonlocal tried
            if work.kind == "flush":
                return await own(work, progress)
            tried += 1
            raise OutOfMemory("a task took too much")

        rewriter.rewrite = too_large  # type: ignore[method-assign]
        await with_overlaps(db, 10, files=1)
        await until(lambda: isinstance(db.primary._maintainer.last_error, OutOfMemory))
        assert tried == 1
        before = await db.all()
        await db.write(WriteMode.UPSERT, (1, 1, "z"))
        assert tried == 1
        assert len(await db.all()) in (len(before), len(before) + 1)
        await db.check()

    keyed(test, PRIMARY, compaction=OFTEN)
