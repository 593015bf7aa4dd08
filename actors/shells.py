"""Ray's side of the actors: each holds a plain service on an event loop of its own, and forwards.

A shell starts opening its service in its constructor, because that is all that Ray runs again after
a death. Its methods wait for the opening and raise what it raised; the next call tries again.
Nothing here decides anything about data.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import pyarrow as pa
import ray
import ray.exceptions

from actors.compute.workers import WorkerLost
from actors.compute.streams import BatchStream, OpenStreams
from actors.compute.worker import Worker
from actors.coordinator_service import CoordinatorService
from actors.fragments import Fragment, FragmentResult
from actors.loop import LoopThread
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    QueryStats,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.planner import Planner
from actors.ray_ingest import IngestTasks, RayIngest
from actors.service import PrimaryService, open_worker
from actors.settings import NodeSettings
from storage.clock import SystemClock
from storage.errors import Fenced, InternalError, MobulaError, OutOfMemory
from storage.ids import RandomIds
from storage.ingest import IngestedFile, load_file, write_slices
from storage.log.epoch import Owner
from storage.objects import open_store
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Receipt
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = [
    "CoordinatorShell",
    "PrimaryShell",
    "RayWorker",
    "WorkerShell",
    "load_source",
    "write_slice",
]

SHARE_BYTES_MIN = 64 << 10  # smaller tables travel inside the call
INLINE_RESULT_BYTES = 256 << 10  # smaller results travel inside the reply
CLOSE_S = 5.0  # how long a worker may take to close
FOREVER_MS = 1 << 40
LOOKUP_PAUSE_S = 5.0  # how long a virtual warehouse that was not found is not looked for

S = TypeVar("S")


class _Opening(Generic[S]):
    """A service that opens in the background and can be opened again."""

    def __init__(self, loop: LoopThread, make: Callable[[], Coroutine[Any, Any, S]]) -> None:
        self._loop = loop
        self._make = make
        self._future: Future[S] = loop.start(make())

    async def get(self) -> S:
        """The open service; raises why it did not open, and lets the next call try again."""
        future = self._future
        try:
            return await asyncio.wrap_future(future)
        except MobulaError:
            if self._future is future:
                self._future = self._loop.start(self._make())
            raise

    def renew(self, ending: Coroutine[Any, Any, None]) -> None:
        """Open anew once the old service has ended."""

        async def again() -> S:
            await ending
            return await self._make()

        self._future = self._loop.start(again())

    def now(self) -> S | None:
        """The service if it is open."""
        done = self._future.done() and self._future.exception() is None
        return self._future.result() if done else None


def _share(rows: pa.Table) -> Any:
    return rows if rows.nbytes < SHARE_BYTES_MIN else ray.put(rows)


def _resolve_rows(rows: Any) -> pa.Table:
    return ray.get(rows) if isinstance(rows, ray.ObjectRef) else rows


async def _fetch_rows(rows: Any) -> pa.Table:
    if isinstance(rows, ray.ObjectRef):
        return await asyncio.wrap_future(rows.future())
    return rows


@contextlib.contextmanager
def _worker_errors(query_id: str) -> Iterator[None]:
    """Errors of a worker's call as ours."""
    try:
        yield
    except ray.exceptions.OutOfMemoryError as error:
        raise OutOfMemory(
            f"query {query_id} took more memory than its node has; "
            "use larger workers or ask for less at once"
        ) from error
    except ray.exceptions.RayActorError as error:
        raise WorkerLost from error
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, MobulaError):
            raise error.cause from None
        raise InternalError(f"query {query_id}: a worker failed: {error}") from error


class RayWorker:
    """A `WorkerHandle` onto a worker actor."""

    def __init__(self, actor: Any, pid: int) -> None:
        self._actor = actor
        self.pid = pid

    async def execute(self, fragment: Fragment) -> FragmentResult:
        cost, rows = self._actor.execute.remote(fragment)
        with _worker_errors(fragment.query_id):
            stats, size_bytes = await asyncio.wrap_future(cost.future())
            if size_bytes <= INLINE_RESULT_BYTES:
                rows = await asyncio.wrap_future(rows.future())
        return FragmentResult(rows=rows, stats=stats)

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """References to the batches: the client fetches them from this node's object store. One
        batch is made ahead of the one that is asked for."""
        await self._answer(fragment, self._actor.open_stream.remote(fragment))
        try:
            is_batch, batch = self._actor.next_batch.remote()
            while await self._answer(fragment, is_batch):
                ready, (is_batch, batch) = batch, self._actor.next_batch.remote()
                yield ready
        finally:
            self._actor.close_stream.remote()

    async def _answer(self, fragment: Fragment, reference: Any) -> Any:
        with _worker_errors(fragment.query_id):
            return await asyncio.wrap_future(reference.future())

    async def close(self) -> None:
        with contextlib.suppress(ray.exceptions.RayError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.wrap_future(self._actor.close.remote().future())
        ray.kill(self._actor)


class WorkerShell:
    """The process of one worker."""

    def __init__(self, node: NodeSettings, cache_bytes: int) -> None:
        self._loop = LoopThread("mobula-worker")
        self._worker: Worker = self._loop.run(self._open(node, cache_bytes))
        self._stream: BatchStream | None = None

    async def ready(self) -> int:
        """Return the process id once the worker can take fragments."""
        return os.getpid()

    @ray.method(num_returns=2)
    async def execute(self, fragment: Fragment) -> tuple[tuple[QueryStats, int], pa.Table]:
        """Run a fragment; returns ((costs, bytes of the rows), rows) as two objects."""
        result = await asyncio.wrap_future(self._loop.start(self._worker.execute(fragment)))
        return (result.stats, result.rows.nbytes), result.rows

    async def open_stream(self, fragment: Fragment) -> None:
        """Make a fragment ready for `next_batch`. One at a time, as with `execute`."""
        await self.close_stream()
        # The pool watches over time.
        self._stream = BatchStream(pa.schema([]), self._worker.stream(fragment), FOREVER_MS)

    @ray.method(num_returns=2)
    async def next_batch(self) -> tuple[bool, pa.RecordBatch | None]:
        """(True, the next batch) or (False, None) at the end, as two objects."""
        stream = self._stream
        if stream is None:
            return False, None
        batch = await asyncio.wrap_future(self._loop.start(stream.next()))
        return batch is not None, batch

    async def close_stream(self) -> None:
        """End the work of `open_stream`."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await asyncio.wrap_future(self._loop.start(stream.close()))

    async def close(self) -> None:
        """Leave nothing in the cache directory; the caller ends the process."""
        await asyncio.wrap_future(self._loop.start(self._worker.close()))

    async def _open(self, node: NodeSettings, cache_bytes: int) -> Worker:
        return open_worker(
            node,
            name="files",
            cache_bytes=cache_bytes,
            clock=SystemClock(),
            resolve_rows=_resolve_rows,
        )


class _StreamingShell:
    """What both shells do for clients that read a stream; see `OpenStreams`."""

    _loop: LoopThread

    def __init__(self) -> None:
        self._streams = OpenStreams(SystemClock(), RandomIds())

    async def next_batch(self, key: str) -> Any:
        """A batch, or a reference to one; None at the end."""
        return await asyncio.wrap_future(self._loop.start(self._streams.next(key)))

    async def keep_stream(self, key: str) -> None:
        """Its client still reads."""
        self._loop.call(self._streams.keep, key)

    async def close_stream(self, key: str) -> None:
        """Its client has read enough."""
        await asyncio.wrap_future(self._loop.start(self._streams.close(key)))

    async def _opened(self, opening: Coroutine[Any, Any, BatchStream]) -> tuple[str, pa.Schema]:
        async def add() -> tuple[str, pa.Schema]:
            stream = await opening
            return self._streams.add(stream), stream.schema

        return await asyncio.wrap_future(self._loop.start(add()))


class PrimaryShell(_StreamingShell):
    """The process of the primary. `start_worker` makes the worker of its own compute."""

    def __init__(
        self,
        node: NodeSettings,
        make_planner: Callable[[], Planner],
        start_worker: Callable[[NodeSettings], Any],
        find_warehouse: Callable[[NodeSettings, str], Any],
        tasks: IngestTasks,
    ) -> None:
        super().__init__()
        self._node = node
        self._planner = make_planner()
        self._start = start_worker
        self._find = find_warehouse
        self._tasks = tasks
        self._handles: dict[str, tuple[Any, float]] = {}
        self._loop = LoopThread("mobula-primary")
        # Ray keeps an actor's id when it restarts it, and never runs two of one id: a successor
        # with our id knows that its predecessor is dead.
        self._id = f"ray-{ray.get_runtime_context().get_actor_id()}"
        self._service = _Opening(self._loop, self._open)

    async def ready(self) -> None:
        """Return once the primary serves, or raise why it does not."""
        await self._service.get()

    async def submit(self, transaction: Transaction) -> Receipt:
        return await self._run(lambda service: service.submit(transaction))

    async def execute(self, statement: Statement) -> QueryReply | CommitReply:
        return await self._run(lambda service: service.execute(statement))

    async def stream(self, statement: Statement) -> tuple[str, pa.Schema]:
        """Open a stream; its id, and the schema of its rows."""
        service = await self._service.get()
        return await self._opened(service.stream(statement))

    async def get(self, lookup: Lookup) -> QueryReply:
        return await self._run(lambda service: service.get(lookup))

    async def control(self, control: TransactionControl) -> TransactionReply:
        return await self._run(lambda service: service.control(control))

    async def reserve(self, sequence_id: int, count: int) -> int:
        return await self._run(lambda service: service.reserve(sequence_id, count))

    async def table(self, schema: str, name: str) -> TableInfo:
        return (await self._service.get()).table(schema, name)

    async def status(self) -> dict[str, Any]:
        service = await self._service.get()
        return {**service.status(), "pid": os.getpid()}

    async def greet(self, name: str) -> None:
        """A virtual warehouse has started: look for it at the next push."""
        self._loop.call(self._handles.pop, name, None)

    async def close(self) -> None:
        """Finish and step down; the caller ends the process."""
        await self._run(lambda service: service.close())

    async def _run(self, call: Callable[[PrimaryService], Coroutine[Any, Any, S]]) -> S:
        service = await self._service.get()
        try:
            return await asyncio.wrap_future(self._loop.start(call(service)))
        except Fenced:
            if self._service.now() is service:
                self._service.renew(service.close())
            raise

    async def _open(self) -> PrimaryService:
        ids = RandomIds()
        context = ray.get_runtime_context()
        owner = Owner(
            id=self._id,
            nonce=ids.new(),
            address=f"process {os.getpid()} on node {context.get_node_id()[:8]}",
            lease_ms=self._node.settings.lease_ms,
        )
        service = await PrimaryService.open(
            self._node,
            self._planner,
            owner=owner,
            clock=SystemClock(),
            ids=ids,
            start_worker=self._start_own,
            share=_share,
            fetch_rows=_fetch_rows,
            make_ingest=lambda own: RayIngest(own, self._node, self._tasks),
        )
        service.listen("warehouses", lambda lsn: self._push(service, lsn))
        return service

    async def _start_own(self) -> RayWorker:
        return await _started(self._start(self._node))

    def _push(self, service: PrimaryService, lsn: int) -> None:
        """Hint to every virtual warehouse that runs; one that does not look is none the worse."""
        names = service.warehouse_names()
        self._handles = {k: v for k, v in self._handles.items() if k in names}
        for name in names:
            handle, looked = self._handles.get(name, (None, 0.0))
            if handle is None and time.monotonic() - looked > LOOKUP_PAUSE_S:
                handle = self._find(self._node, name)
                self._handles[name] = (handle, time.monotonic())
            if handle is not None:
                handle.hint.remote(lsn)


class CoordinatorShell(_StreamingShell):
    """The process of a virtual warehouse's coordinator."""

    def __init__(
        self,
        node: NodeSettings,
        make_planner: Callable[[], Planner],
        name: str,
        start_worker: Callable[[NodeSettings, VirtualWarehouse], Any],
    ) -> None:
        super().__init__()
        self._node = node
        self._planner = make_planner()
        self._name = name
        self._start = start_worker
        self._loop = LoopThread("mobula-coordinator")
        self._service = _Opening(self._loop, self._open)

    async def ready(self) -> None:
        """Return once all workers are started, or raise why not."""
        await self._service.get()

    async def get(self, lookup: Lookup) -> QueryReply:
        service = await self._service.get()
        return await asyncio.wrap_future(self._loop.start(service.get(lookup)))

    async def query(self, statement: Statement) -> QueryReply:
        service = await self._service.get()
        return await asyncio.wrap_future(self._loop.start(service.query(statement)))

    async def stream(self, statement: Statement) -> tuple[str, pa.Schema]:
        """Open a stream; its id, and the schema of its rows."""
        service = await self._service.get()
        return await self._opened(service.stream(statement))

    async def hint(self, lsn: int) -> None:
        service = self._service.now()
        if service is not None:
            self._loop.call(service.hint, lsn)

    async def status(self) -> dict[str, Any]:
        service = await self._service.get()
        return {**service.status(), "pid": os.getpid()}

    async def close(self) -> None:
        """End the workers; the caller ends the process."""
        service = await self._service.get()
        await asyncio.wrap_future(self._loop.start(service.close()))

    async def _open(self) -> CoordinatorService:
        return await CoordinatorService.open(
            self._node,
            self._planner,
            warehouse=self._name,
            clock=SystemClock(),
            ids=RandomIds(),
            start_worker=self._start_one,
            share=_share,
        )

    async def _start_one(self, warehouse: VirtualWarehouse) -> RayWorker:
        return await _started(self._start(self._node, warehouse))


async def _started(actor: Any) -> RayWorker:
    """Wait until a worker's process is up."""
    return RayWorker(actor, await asyncio.wrap_future(actor.ready.remote().future()))


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
