"""Source files into a table: micropartitions in the store, for one commit to refer to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from actors.client import Progress
from actors.local_files import scratch
from actors.messages import TableInfo
from actors.settings import NodeSettings
from storage.ids import Ids
from storage.ingest import IngestedFile, load_file
from storage.objects import ObjectStore
from storage.sources_format import SourceReading
from storage.sources_rows import count_source, source_columns

__all__ = ["load_sources", "numbered_sources"]

LOADS_MAX = 2  # source files read at once


async def numbered_sources(
    node: NodeSettings,
    info: TableInfo,
    sources: Sequence[str],
    reading: SourceReading,
    number: Callable[[TableInfo, Iterable[str], int], Awaitable[TableInfo]],
) -> list[TableInfo]:
    """The table once for each file, each with identity values of its own.

    Args: number: see `Primary.numbered`.
    """
    if all(column.identity is None for column in info.target.schema.columns):
        return [info] * len(sources)

    def look(url: str) -> tuple[list[str], int]:
        names = source_columns(url, node.store, info.target, reading)
        return names, count_source(url, node.store, reading)

    return [await number(info, *(await asyncio.to_thread(look, url))) for url in sources]


async def load_sources(
    store: ObjectStore,
    node: NodeSettings,
    infos: Sequence[TableInfo],
    sources: Sequence[str],
    *,
    reading: SourceReading,
    progress: Progress,
    ids: Ids,
) -> list[IngestedFile]:
    """Turn source files into micropartitions, a few at a time; all or an error.

    Args: infos: of the table, one for each source.
    """
    gate = asyncio.Semaphore(LOADS_MAX)
    rows_done = dict.fromkeys(range(len(sources)), 0)
    files_done = 0

    async def one(index: int, url: str, info: TableInfo) -> list[IngestedFile]:
        nonlocal files_done

        def report(rows: int) -> None:
            rows_done[index] = rows
            progress(sum(rows_done.values()), files_done)

        async with gate:
            rows = await load_file(
                store,
                url,
                info.target,
                ids=ids,
                reading=reading,
                source_options=node.store,
                scratch=scratch(node.settings),
                progress=report,
            )
        files_done += 1
        progress(sum(rows_done.values()), files_done)
        return rows

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(i, url, info))
                for i, (url, info) in enumerate(zip(sources, infos, strict=True))
            ]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [row for task in tasks for row in task.result()]
