"""A fleet on a host of the imagination: processes start, die and answer when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from actors.compute.workers import WorkerLost
from actors.fleet.fleet import Fleet, FleetLimits
from actors.fleet.host import FoundProcess
from actors.fleet.port import Observation, Wish
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.observed import Observed
from storage.errors import Unavailable, UnknownObject
from tests.fakes import CountedIds, StillClock
from tests.unit.warehouse.observed_records import query_record, warehouse_record

SMALL = WorkerShape(node_type="default", cpus=1)
LARGE = WorkerShape(node_type="default", cpus=4)


class FakeProcess:
    """Its own handle; as a coordinator, also a `CoordinatorHandle`."""

    def __init__(self, host: FakeHost, id: str, shape: Shape) -> None:  # noqa: A002
        self.host = host
        self.id = id
        self.shape = shape
        self.pid = len(host.processes) + 1
        self.started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.killed = False
        self.busy = False
        self.lent_to = ""
        self.leads = ""
        self.workers: dict[str, FakeProcess] = {}
        self.taken_over: list[int] = []
        self.shortages: list[str | None] = []
        self.closed: list[bool] = []

    @property
    def alive(self) -> bool:
        return not self.over.is_set()

    def start(self) -> None:
        if not self.started.done():
            self.started.set_result(self.pid)

    def fail(self) -> None:
        self.started.set_exception(Unavailable("no room"))

    def die(self) -> None:
        self.over.set()
        if not self.started.done():
            self.fail()
            self.started.exception()  # perhaps nobody waits for it

    async def _called(self) -> None:
        await self.host.pause()
        if not self.alive:
            raise WorkerLost

    # --- as a coordinator -------------------------------------------------------------------------

    async def lead(self, warehouse: str, leader: str) -> int:
        await self._called()
        assert leader == self.id
        assert not self.leads
        await self.host.leading.wait()
        if self.host.dying_leads:
            self.host.dying_leads -= 1
            self.die()
        await self._called()
        if warehouse in self.host.unknown:
            raise UnknownObject(f"virtual warehouse {warehouse} does not exist")
        self.leads = warehouse
        if self.host.dying_unheard:
            self.host.dying_unheard -= 1
            self.die()
            await settle(5)  # its last answer takes longer than the news
        return self.pid

    async def take_over(self, workers: int) -> None:
        await self._called()
        self.taken_over.append(workers)
        if self.host.taking_over is not None:
            self.host.taking_over(self)

    async def join(self, id: str, worker: Any, pid: int, shape: WorkerShape) -> None:  # noqa: A002
        if (self.leads, pid, shape) != (worker.lent_to, worker.pid, worker.shape):
            self.host.faults.append(f"{self.leads} is joined by {worker.lent_to}'s {id}")
        await self._called()
        self.workers[id] = worker

    async def left(self, id: str) -> None:  # noqa: A002
        await self._called()
        self.workers.pop(id, None)

    async def shortage(self, text: str | None) -> None:
        await self._called()
        self.shortages.append(text)

    async def observe(self, *, queries: bool) -> Observation:
        await self._called()
        found = (query_record(f"of {self.leads}"),) if queries else ()
        return Observation(warehouse=warehouse_record(self.leads), queries=found)

    async def cancel(self, query_id: str) -> bool:
        await self._called()
        return query_id == f"of {self.leads}"

    async def close(self, *, force: bool) -> None:
        await self._called()
        self.closed.append(force)
        if not force:
            over = asyncio.ensure_future(self.over.wait())
            drained = asyncio.ensure_future(self.host.drained.wait())
            await asyncio.wait({over, drained}, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            drained.cancel()
            if self.host.slow_close:
                await settle(40)
        await self._called()


class FakeHost:
    """`Host`. Starts what it is told to, at once unless `holding`."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.before: list[FoundProcess] = []
        self.holding = False
        self.failing = 0  # so many starts fail
        self.refusing: set[Shape] = set()
        self.unknown: set[str] = set()
        self.dying_leads = 0
        self.dying_unheard = 0
        self.slow_close = False
        self.faults: list[str] = []
        self.slow_lends: list[asyncio.Event] = []  # of the next ones, when each may go on
        self.leading = asyncio.Event()
        self.leading.set()
        self.drained = asyncio.Event()
        self.told_nodes: list[list[Mapping[str, float]]] = []
        self.pauses: Callable[[], int] = lambda: 0
        self.taking_over: Callable[[FakeProcess], None] | None = None

    async def pause(self) -> None:
        for _ in range(self.pauses()):
            await asyncio.sleep(0)

    def start(self, id: str, shape: Shape) -> FakeProcess:  # noqa: A002
        if shape in self.refusing:
            raise Unavailable("no such node type")
        process = FakeProcess(self, id, shape)
        self.processes.append(process)
        if self.failing:
            self.failing -= 1
            process.fail()
        elif not self.holding:
            process.start()
        return process

    async def ready(self, handle: FakeProcess) -> int:
        pid = await asyncio.shield(handle.started)
        await handle._called()
        return pid

    async def gone(self, handle: FakeProcess) -> None:
        await handle.over.wait()
        await self.pause()

    def kill(self, handle: FakeProcess) -> None:
        handle.killed = True
        handle.die()

    async def lend(self, handle: FakeProcess, warehouse: str) -> None:
        handle.lent_to = warehouse
        if self.slow_lends:
            await self.slow_lends.pop(0).wait()
        await handle._called()

    async def busy(self, handle: FakeProcess) -> bool:
        await handle._called()
        return handle.busy

    def coordinator(self, handle: FakeProcess) -> FakeProcess:
        return handle

    async def found(self) -> list[FoundProcess]:
        return self.before

    async def observed_by_primary(self, kind: str) -> Sequence[Observed]:
        return [query_record("of the primary")]

    async def nodes(self, bundles: Sequence[Mapping[str, float]]) -> None:
        self.told_nodes.append(list(bundles))

    def bundle(self, shape: Shape) -> Mapping[str, float]:
        assert isinstance(shape, WorkerShape)
        return {"CPU": shape.cpus}

    async def supply(self) -> str:
        return "it has 2 CPUs"

    # --- for tests --------------------------------------------------------------------------------

    def alive(self, shape: Shape) -> list[FakeProcess]:
        """Started or starting, and not ended."""
        return [process for process in self.processes if process.shape == shape and process.alive]

    def earlier(self, id: str, shape: Shape, warehouse: str = "") -> FakeProcess:  # noqa: A002
        """A process that an earlier fleet has started."""
        process = FakeProcess(self, id, shape)
        process.start()
        self.processes.append(process)
        if shape == COORDINATOR:
            process.leads = warehouse
        process.lent_to = warehouse
        found = FoundProcess(
            id=id, shape=shape, handle=process, pid=process.pid, warehouse=warehouse
        )
        self.before.append(found)
        return process


class Stage:
    """A fleet, its host, its clock, and what coordinators say to it."""

    def __init__(self, **limits: Any) -> None:
        self.clock = StillClock()
        self.host = FakeHost()
        self.fleet = Fleet(self.host, FleetLimits(**limits), self.clock, CountedIds())
        self.serials = 0

    async def leader(self, name: str) -> FakeProcess:
        found = await self.fleet.coordinator(name)
        assert isinstance(found, FakeProcess)
        return found

    def wish(self, leader: FakeProcess, workers: int, shape: WorkerShape = SMALL) -> None:
        self.serials += 1
        self.fleet.wish(
            Wish(
                warehouse=leader.leads,
                leader=leader.id,
                shape=shape,
                clusters=workers,
                workers=workers,
                serial=self.serials,
                members=frozenset(leader.workers),
            ),
            (),
        )

    def give_back(self, leader: FakeProcess, *workers: FakeProcess) -> None:
        for worker in workers:
            leader.workers.pop(worker.id)
        self.fleet.give_back(leader.id, [worker.id for worker in workers])

    async def served(self, name: str, workers: int) -> FakeProcess:
        """A coordinator that has got its workers."""
        leader = await self.leader(name)
        self.wish(leader, workers)
        await settle()
        assert len(leader.workers) == workers
        return leader

    async def move(self, duration_ms: float) -> None:
        """Time passes, second by second."""
        while duration_ms > 0:
            self.clock.move(min(duration_ms, 1_000))
            duration_ms -= 1_000
            await settle(10)

    def actions(self) -> list[str]:
        return [event.action for event in reversed(self.fleet._books.events)]

    def states(self, shape: Shape) -> dict[str, int]:
        """Processes of a shape as the fleet knows them, by state."""
        found = [p.state for p in self.fleet._books.processes.values() if p.shape == shape]
        return {state: found.count(state) for state in found}

    def check_ended(self) -> None:
        """Nothing that was ever started is still there."""
        assert [process.id for process in self.host.processes if process.alive] == []
        assert self.fleet.status()["processes"] == []
        assert self.host.faults == []


async def settle(turns: int = 60) -> None:
    """Let everything happen that can happen now."""
    for _ in range(turns):
        await asyncio.sleep(0)


def playing(
    test: Callable[[Stage], Awaitable[None]],
    before: Callable[[Stage], None] = lambda stage: None,
    **limits: Any,
) -> None:
    """Run a test on an open fleet; at its end everything has to be gone."""

    async def run() -> None:
        stage = Stage(**limits)
        async with asyncio.timeout(20):
            before(stage)
            await stage.fleet.open()
            await settle()
            await test(stage)
            await stage.fleet.close()
            await settle()
            stage.check_ended()
            assert stage.host.told_nodes[-1] == []

    asyncio.run(run())
