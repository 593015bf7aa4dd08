"""Runs fragments, one at a time: fetch what is not in the cache, execute, return rows and costs.

A worker holds no snapshot; a fragment names its files, deltas and SQL. Files are fetched in
parallel into a local directory with a byte budget, and stay there for the next query. A query that
does not fit into the memory of its worker writes rows beside them, and they go with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from actors.compute.execution import batches, execute, export
from actors.compute.streams import stepwise
from actors.fragments import FileInput, Fragment, FragmentResult, HotFile, QueryStats, Warmed
from storage.cache import FileCache
from storage.clock import Clock
from storage.errors import MobulaError, NotYet
from storage.objects import CountingStore, RequestCounts
from storage.spill_space import SpillSpace, spill_limits

__all__ = ["Worker"]

FETCHES_MAX = 16  # objects fetched at once
FREE_DISK_SHARE = 0.9

T = TypeVar("T")


class Worker:
    """One query at a time, on one store and one cache directory."""

    def __init__(
        self,
        store: CountingStore,
        clock: Clock,
        *,
        cache_directory: Path,
        cache_bytes: int,
        spill_bytes_max: int | None = None,
        resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
    ) -> None:
        """Args:
        cache_directory: owned by this worker alone.
        cache_bytes: the budget of the directory.
        spill_bytes_max: what a query that does not fit into memory may write beside it; None: most
            of what the disk has left then.
        resolve_rows: turns the `rows` of a delta run into an Arrow table.
        """
        self._store = store
        self._clock = clock
        self._directory = cache_directory
        self._cache = FileCache(cache_directory, cache_bytes, store)
        self._spill_bytes_max = spill_bytes_max
        self._resolve_rows = resolve_rows
        self._turn = asyncio.Lock()
        self._threads: set[object] = set()  # that work on fragments

    async def execute(self, fragment: Fragment) -> FragmentResult:
        """Run a fragment. Raises the errors of the store, InvalidRequest, NotYet, CorruptData."""
        _check(fragment)
        async with self._turn, AsyncExitStack() as leases:
            started_ms = self._clock.monotonic_ms()
            before = self._store.counts()
            files = {f.name: f for scan in fragment.inputs for f in scan.files}
            paths, hits = await self._fetch(list(files.values()), leases)
            cost = self._store.counts() - before
            space = self._space(fragment)
            rows, rows_scanned = await asyncio.to_thread(
                self._counted, lambda: self._run(fragment, paths, space)
            )
            stats = self._stats(
                fragment, cost, hits, rows_scanned=rows_scanned, started_ms=started_ms, space=space
            )
            return FragmentResult(rows=rows, stats=stats)

    def _stats(
        self,
        fragment: Fragment,
        cost: RequestCounts,
        hits: int,
        *,
        rows_scanned: int,
        started_ms: float,
        space: SpillSpace | None,
    ) -> QueryStats:
        files = {f.name: f for scan in fragment.inputs for f in scan.files}
        return QueryStats(
            files_scanned=len(files),
            stripes_scanned=sum(f.stripe_count for f in files.values()),
            rows_scanned=rows_scanned,
            bytes_fetched=cost.read_bytes + _outside_bytes(fragment),
            requests=cost.requests,
            cache_hits=hits,
            workers=1,
            stages=1,
            spilled_bytes=0 if space is None else space.spilled_bytes,
            execute_ms=self._clock.monotonic_ms() - started_ms,
        )

    async def stream(
        self, fragment: Fragment, costs: Callable[[QueryStats], None] = lambda stats: None
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Run a fragment and give its rows as they come; errors as of `execute`, at any batch. The
        worker is taken until the last batch, or until the generator is closed.

        Args: costs: hears what it has cost, after the last batch. `execute_ms` includes the time in
            which nobody asked for rows.
        """
        _check(fragment)
        async with self._turn, AsyncExitStack() as leases:
            started_ms = self._clock.monotonic_ms()
            before = self._store.counts()
            files = {f.name: f for scan in fragment.inputs for f in scan.files}
            paths, hits = await self._fetch(list(files.values()), leases)
            space = self._space(fragment)
            scanned: list[int] = []
            steps = self._batches(fragment, paths, space, scanned.append)
            made = stepwise(self._steps(steps))
            async with aclosing(made):
                async for batch in made:
                    yield batch
            cost = self._store.counts() - before
            costs(
                self._stats(
                    fragment,
                    cost,
                    hits,
                    rows_scanned=sum(scanned),
                    started_ms=started_ms,
                    space=space,
                )
            )

    def _run(
        self, fragment: Fragment, paths: Mapping[str, Path], space: SpillSpace | None
    ) -> tuple[pa.Table, int]:
        """Rows, and how many were read for them. What was spilled goes, even if nobody waits."""
        run = export if fragment.output.kind == "export" else execute
        with _closing(space):
            return run(fragment, paths, self._resolve_rows, space)

    def _batches(
        self,
        fragment: Fragment,
        paths: Mapping[str, Path],
        space: SpillSpace | None,
        scanned: Callable[[int], None],
    ) -> Generator[pa.RecordBatch, None, None]:
        with _closing(space):
            yield from batches(fragment, paths, self._resolve_rows, space, scanned)

    def _space(self, fragment: Fragment) -> SpillSpace | None:
        """What the fragment may take, and where it spills; None: it may take anything."""
        if fragment.memory_bytes is None:
            return None
        disk_bytes = self._spill_bytes_max
        if disk_bytes is None:
            disk_bytes = int(shutil.disk_usage(self._directory).free * FREE_DISK_SHARE)
        limits = spill_limits(fragment.memory_bytes, disk_bytes, forced=fragment.spill)
        name = f"{fragment.query_id}-{fragment.attempt}"
        return SpillSpace(self._directory / "spill" / name, limits)

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        """Fetch files into the cache, so that queries find them there. What cannot be fetched is
        left to them."""
        before = self._store.counts()
        gate = asyncio.Semaphore(FETCHES_MAX)

        async def one(file: HotFile) -> bool:
            async with gate:
                with contextlib.suppress(MobulaError):
                    (await self._cache.open(file.name, file.checksum, file.size_bytes)).release()
                    return True
            return False

        fetched = await asyncio.gather(*(one(file) for file in files))
        cost = self._store.counts() - before
        return Warmed(files=sum(fetched), requests=cost.requests, read_bytes=cost.read_bytes)

    def resize_cache(self, cache_bytes: int) -> None:
        """Another budget of the cache directory."""
        self._cache.resize(cache_bytes)

    @property
    def busy(self) -> bool:
        """Whether it works on a fragment, or still does on one that nobody waits for any more."""
        return self._turn.locked() or bool(self._threads)

    def _counted(self, work: Callable[[], T]) -> T:
        """What it gives; meanwhile it is known that a thread is busy with it."""
        thread = object()
        self._threads.add(thread)
        try:
            return work()
        finally:
            self._threads.discard(thread)

    def _steps(self, steps: Generator[T, None, None]) -> Generator[T, None, None]:
        """The same; it is known while one of them is made."""
        try:
            while (step := self._counted(lambda: next(steps, None))) is not None:
                yield step
        finally:
            steps.close()

    async def close(self) -> None:
        """Release the store and the cache directory."""
        await self._cache.close()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
        await self._store.close()

    async def _fetch(
        self, files: list[FileInput], leases: AsyncExitStack
    ) -> tuple[dict[str, Path], int]:
        """Local paths of the files, held until `leases` closes, and how many were there."""
        gate = asyncio.Semaphore(FETCHES_MAX)

        async def one(file: FileInput) -> tuple[str, Path, bool]:
            async with gate:
                lease = await self._cache.open(file.name, file.checksum, file.size_bytes)
            leases.callback(lease.release)
            return file.name, lease.path, lease.hit

        # All of them, also when one fails: a lease that came after `leases` has closed would stay.
        results = await asyncio.gather(*(one(file) for file in files), return_exceptions=True)
        opened = [result for result in results if not isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return {name: path for name, path, _ in opened}, sum(hit for _, _, hit in opened)


def _closing(space: SpillSpace | None) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext() if space is None else contextlib.closing(space)


def _outside_bytes(fragment: Fragment) -> int:
    """Of users' files, which are read past the cache."""
    return sum(i.source.read_bytes for i in fragment.inputs if i.source is not None)


def _check(fragment: Fragment) -> None:
    if fragment.output.kind not in ("gather", "export"):
        raise NotYet("fragments with a partitioned output are not there yet")
