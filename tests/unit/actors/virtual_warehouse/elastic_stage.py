"""The workers of a virtual warehouse on a fleet of the imagination, moved by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from actors.compute.queries import QueryLog
from actors.compute.workers import WorkerLost
from actors.fleet.port import Wish
from actors.fleet.shapes import WorkerShape, worker_shape
from actors.fragments import (
    FileInput,
    Fragment,
    FragmentResult,
    HotFile,
    QueryStats,
    ScanInput,
    Warmed,
)
from actors.messages import QueryReply, Session, Statement
from actors.observed import ScalingEvent
from actors.virtual_warehouse.elastic import ElasticWorkers
from storage.snapshot.changes import VirtualWarehouse
from tests.fakes import CountedIds, StillClock

LEADER = "c1"
SETTINGS = VirtualWarehouse(name="bi", size=1, worker_cpus=1, cache_bytes=1 << 20)


class FakeWorker:
    """Runs a fragment until the test says how it ends."""

    def __init__(self, stage: Stage, id: str, shape: WorkerShape) -> None:  # noqa: A002
        self.stage = stage
        self.id = id
        self.shape = shape
        self.pid = len(stage.made) + 1
        self.fragment: Fragment | None = None
        self.ends: asyncio.Future[None] | None = None
        self.ran: list[str] = []
        self.warmed: list[str] | None = None
        self.warming: asyncio.Event | None = None
        self.warm_error: Exception | None = None
        self.killed = False
        self.forgotten = False
        self.gone = False

    async def execute(self, fragment: Fragment) -> FragmentResult:
        assert self.fragment is None, "two queries at a time"
        if self.gone or self.killed:
            raise WorkerLost
        self.fragment = fragment
        self.ran.append(fragment.query_id)
        self.ends = asyncio.get_running_loop().create_future()
        try:
            await self.ends
        finally:
            self.fragment = None
        return FragmentResult(rows=pa.table({"pid": [self.pid]}), stats=QueryStats())

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        yield (await self.execute(fragment)).rows.to_batches()[0]
        yield QueryStats(requests=7)

    def finish(self) -> None:
        assert self.ends is not None
        self.ends.set_result(None)

    def fail(self, error: Exception) -> None:
        assert self.ends is not None
        self.ends.set_exception(error)

    def die(self) -> None:
        """The process is gone: its call fails, and the fleet tells."""
        self.gone = True
        if self.fragment is not None and self.ends is not None and not self.ends.done():
            self.fail(WorkerLost())
        self.stage.workers.left(self.id)

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        self.warmed = [file.name for file in files]
        if self.warming is not None:
            await self.warming.wait()
        if self.warm_error is not None:
            raise self.warm_error
        return Warmed(files=len(files), requests=len(files), read_bytes=10 * len(files))

    async def busy(self) -> bool:
        return self.fragment is not None

    def forget(self) -> None:
        self.forgotten = True

    def kill(self) -> None:
        self.killed = True

    async def close(self) -> None:
        self.killed = True


class Stage:
    """`FleetPort` as well: it remembers what it is told, and brings workers when asked to."""

    def __init__(self, **settings: Any) -> None:
        self.clock = StillClock()
        self.settings = msgspec.structs.replace(SETTINGS, **settings)
        self.queries = QueryLog("bi", self.clock, CountedIds())
        self.rests: list[bool] = []
        self.workers = ElasticWorkers(
            self.settings,
            LEADER,
            self,
            clock=self.clock,
            queries=self.queries,
            rest=self.rests.append,
        )
        self.made: list[FakeWorker] = []
        self.lent: dict[str, FakeWorker] = {}
        self.wishes: list[Wish] = []
        self.events: list[ScalingEvent] = []
        self.given: list[str] = []
        self.dismissed: list[tuple[str, str]] = []

    # --- the fleet --------------------------------------------------------------------------------

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        assert wish.leader == LEADER
        assert not self.wishes or wish.serial > self.wishes[-1].serial
        self.wishes.append(wish)
        self.events += events

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        for id_ in ids:
            worker = self.lent.pop(id_)
            assert worker.fragment is None, "a busy worker was given back"
            assert not worker.gone
            self.given.append(id_)

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        self.lent.pop(id, None)  # if it died the fleet may know
        self.dismissed.append((id, why))

    def dropped(self, leader: str) -> None:
        raise AssertionError("nobody has dropped it")

    @property
    def wished(self) -> int:
        return self.wishes[-1].workers if self.wishes else 0

    def lacking(self) -> int:
        """Workers of the wished shape that the fleet has not brought."""
        if not self.wishes:
            return 0
        have = sum(worker.shape == self.wishes[-1].shape for worker in self.lent.values())
        return self.wishes[-1].workers - have

    def bring(self, count: int | None = None, warming: bool = False) -> list[FakeWorker]:
        """So many workers join; all that lack."""
        made = []
        for _ in range(self.lacking() if count is None else count):
            shape = self.wishes[-1].shape if self.wishes else worker_shape(self.settings)
            worker = FakeWorker(self, f"w{len(self.made):03}", shape)
            worker.warming = asyncio.Event() if warming else None
            self.made.append(worker)
            self.lent[worker.id] = worker
            made.append(worker)
            self.workers.join(worker.id, worker, worker.shape)
        return made

    # --- queries ----------------------------------------------------------------------------------

    def ask(self, name: str, **fields: Any) -> asyncio.Task[int]:
        """A query; its result is the pid of who answered."""
        return asyncio.create_task(self._answered(name, fields))

    async def _answered(self, name: str, fields: dict[str, Any]) -> int:
        async def answer(statement: Statement) -> QueryReply:
            result = await self.workers.run(fragment_of(name, **fields))
            return QueryReply(rows=result.rows, stats=result.stats)

        asked = Statement(sql=name, query_id=name, session=Session(id="s"))
        reply = await self.queries.answered(asked, answer)
        return int(reply.rows["pid"][0].as_py())

    def running(self) -> dict[str, FakeWorker]:
        """Workers by the query that each runs."""
        busy = (worker for worker in self.made if worker.fragment is not None)
        return {worker.fragment.query_id: worker for worker in busy if worker.fragment}

    def change(self, **settings: Any) -> None:
        self.settings = msgspec.structs.replace(self.settings, **settings)
        self.workers.change(self.settings)

    def actions(self) -> list[str]:
        return [event.action for event in self.events]


def fragment_of(name: str, files: Sequence[str] = (), **fields: Any) -> Fragment:
    """A fragment that reads those files."""
    inputs = tuple(
        FileInput(
            file_id=1,
            name=file,
            checksum="c",
            size_bytes=1000,
            row_count=1,
            stripe_count=1,
            schema_version=1,
        )
        for file in files
    )
    scan = ScanInput(alias="t", columns=(), schemas={}, files=inputs)
    return Fragment(query_id=name, attempt=1, program=None, inputs=(scan,), **fields)


async def settle(turns: int = 40) -> None:
    """Let everything happen that can happen now."""
    for _ in range(turns):
        await asyncio.sleep(0)


def playing(
    test: Callable[[Stage], Coroutine[Any, Any, None] | Awaitable[None]], **settings: Any
) -> None:
    """Run a test; at its end no query may be left behind."""

    async def run() -> None:
        async with asyncio.timeout(20):
            stage = Stage(**settings)
            await test(stage)
            for worker in stage.running().values():
                worker.finish()
            await settle()
            assert len(stage.queries) == 0
            assert stage.workers.queued == 0
            assert stage.workers.clusters.busy == 0

    asyncio.run(run())
