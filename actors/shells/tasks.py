"""Ray tasks that turn source files and slices of frames into micropartitions."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue

import pyarrow as pa

from actors.loop import LoopThread
from actors.messages import TableInfo
from actors.settings import NodeSettings
from storage.clock import SystemClock
from storage.errors import MobulaError
from storage.ids import RandomIds
from storage.ingest import IngestedFile, load_file, write_slices
from storage.objects import open_store
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = ["load_source", "write_slice"]


def load_source(
    node: NodeSettings, info: TableInfo, url: str, reading: SourceReading
) -> Iterator[int | list[IngestedFile] | MobulaError]:
    """A Ray task: turn one source file into micropartitions. Yields the rows done so far, again
    and again, and at last the file rows. An error is yielded too, as itself, so that it keeps its
    class on the way."""
    steps: SimpleQueue[int | list[IngestedFile] | MobulaError | None] = SimpleQueue()

    async def work() -> None:
        store = open_store(node.root, node.store, clock=SystemClock())
        try:
            steps.put(
                await load_file(
                    store,
                    url,
                    info.target,
                    ids=RandomIds(),
                    reading=reading,
                    source_options=node.store,
                    progress=steps.put,
                )
            )
        except MobulaError as error:
            steps.put(error)
        finally:
            await store.close()

    loop = LoopThread("mobula-load")
    done = loop.start(work())
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
            return await write_slices(store, [rows], target, ids=RandomIds(), encoders=1)
        finally:
            await store.close()

    loop = LoopThread("mobula-slice")
    try:
        return loop.run(work())
    except MobulaError as error:
        return error
    finally:
        loop.close()
