"""Ray tasks that make micropartitions: of source files, of slices of frames, and of other ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from queue import SimpleQueue
from typing import TypeVar

import pyarrow as pa

from actors.local_files import scratch
from actors.loop import LoopThread
from actors.messages import TableInfo
from actors.settings import NodeSettings
from storage.clock import SystemClock
from storage.errors import MobulaError
from storage.ids import RandomIds
from storage.ingest import IngestedFile, load_file, write_slices
from storage.objects import ObjectStore, open_store
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting, rewrite
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = ["load_source", "rewrite_rows", "write_slice"]

T = TypeVar("T")


def load_source(
    node: NodeSettings, info: TableInfo, url: str, reading: SourceReading
) -> Iterator[int | list[IngestedFile] | MobulaError]:
    """A Ray task: turn one source file into micropartitions. Yields the rows done so far, again
    and again, and at last the file rows. An error is yielded too, as itself, so that it keeps its
    class on the way."""

    async def loaded(store: ObjectStore, told: Callable[[int], None]) -> list[IngestedFile]:
        return await load_file(
            store,
            url,
            info.target,
            ids=RandomIds(),
            reading=reading,
            source_options=node.store,
            scratch=scratch(node.settings),
            progress=told,
        )

    yield from _steps(node, "mobula-load", loaded)


def rewrite_rows(node: NodeSettings, work: Rewriting) -> Iterator[int | Rewritten | MobulaError]:
    """A Ray task: a flush or a compaction. Yields the rows stored so far, 0 first, and at last what
    came of it, or an error, as `load_source` does."""

    async def done(store: ObjectStore, told: Callable[[int], None]) -> Rewritten:
        told(0)
        place = scratch(node.settings)
        return await rewrite(store, work, ids=RandomIds(), scratch=place, progress=told)

    yield from _steps(node, "mobula-rewrite", done)


def _steps(
    node: NodeSettings,
    name: str,
    work: Callable[[ObjectStore, Callable[[int], None]], Awaitable[T]],
) -> Iterator[int | T | MobulaError]:
    """What work on the store tells of its progress, and its result or error at last."""
    steps: SimpleQueue[int | T | MobulaError | None] = SimpleQueue()

    async def run() -> None:
        store = open_store(node.root, node.store, clock=SystemClock())
        try:
            steps.put(await work(store, steps.put))
        except MobulaError as error:
            steps.put(error)
        finally:
            await store.close()

    loop = LoopThread(name)
    done = loop.start(run())
    done.add_done_callback(lambda _: steps.put(None))
    try:
        while (step := steps.get()) is not None:
            yield step
        done.result()
    finally:
        loop.close()


def write_slice(
    node: NodeSettings, target: IngestTarget, rows: pa.Table
) -> list[IngestedFile] | MobulaError:
    """A Ray task: write one slice of fitted rows as a micropartition, with the runs of its keys. An
    error is returned, as itself, so that it keeps its class on the way."""

    async def work() -> list[IngestedFile]:
        store = open_store(node.root, node.store, clock=SystemClock())
        try:
            place = scratch(node.settings)
            return await write_slices(
                store, [rows], target, ids=RandomIds(), encoders=1, scratch=place
            )
        finally:
            await store.close()

    loop = LoopThread("mobula-slice")
    try:
        return loop.run(work())
    except MobulaError as error:
        return error
    finally:
        loop.close()
