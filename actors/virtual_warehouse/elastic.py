"""The workers of a virtual warehouse: as many as its load needs, each with one query at a time.

1. A query comes with the files that it reads. It waits in a bounded queue, by priority; a worker
   that gets idle takes the next one. One that sleeps is woken.
2. Four times a second, and whenever something changes, `decide` says how many clusters there shall
   be. The difference to what the fleet was told goes to it as a wish.
3. Workers that the fleet sends join a cluster. Before they take queries they fetch the hottest
   files that will be theirs, unless queries wait for any worker at all.
4. What is not needed drains: no query fails because of it. Idle workers go back to the fleet.

Plain: the fleet, the clock and the log of queries come in. One event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from actors.compute.queries import QueryLog
from actors.compute.supervisor import Supervisor
from actors.compute.workers import WorkerHandle, WorkerLost
from actors.fleet.port import FleetPort, Wish
from actors.fleet.shapes import WorkerShape, worker_shape
from actors.fragments import Fragment, FragmentResult, HotFile, QueryStats
from actors.observed import ScalingEvent
from actors.virtual_warehouse.admission import Waiting, WaitingQueries
from actors.virtual_warehouse.clusters import Clusters, Member
from actors.virtual_warehouse.heat import FileHeat, warm_list
from actors.virtual_warehouse.load import LoadMeter
from actors.virtual_warehouse.scaling import TICK_MS, Limits, decide, wake
from storage.clock import Clock
from storage.errors import Cancelled, MobulaError, Unavailable
from storage.snapshot.changes import VirtualWarehouse

__all__ = ["ElasticWorkers"]

WISH_AGAIN_MS = 5_000.0
WARM_MS = 10_000.0  # how long a worker may fetch files before it takes queries


class ElasticWorkers:
    """Runs fragments (`Supervisor`) on workers that come and go."""

    def __init__(
        self,
        settings: VirtualWarehouse,
        leader: str,
        fleet: FleetPort,
        *,
        clock: Clock,
        queries: QueryLog,
        rest: Callable[[bool], None] = lambda resting: None,
    ) -> None:
        """Args:
        leader: the process that this is, as the fleet calls it.
        rest: hears whether it sleeps.
        """
        self._settings = settings
        self._limits = Limits.of(settings)
        self._shape = worker_shape(settings)
        self._leader = leader
        self._fleet = fleet
        self._clock = clock
        self._queries = queries
        self._rest = rest
        self._clusters = Clusters(
            self._shape, settings.size, self._limits.slots_per_cluster, settings.scaling_policy
        )
        self._waiting = WaitingQueries()
        self._meter = LoadMeter(clock.monotonic_ms())
        self._heat = FileHeat()
        self._running: dict[int, tuple[Member, float]] = {}  # by id of the handle
        self._supervisor = Supervisor(self, clock)
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()  # set again and again: something has ended
        self._stopping = 0  # so many wait until it has stopped; no query is let in
        self._pauses: set[object] = set()  # who waits until it sleeps; queries wait for that too
        self._held = 0  # so many do
        self._serial = 0  # of the newest wish
        self._wished_ms = -WISH_AGAIN_MS
        self._background: set[asyncio.Task[Any]] = set()
        self.shortage: str | None = None
        self.warm_requests = 0
        self.warm_bytes = 0

    # --- what it is -------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """See `WarehouseRecord.state`."""
        if not self._clusters.wanted:
            return "suspended"
        return "running" if self._clusters.ready else "resuming"

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def clusters(self) -> Clusters:
        return self._clusters

    @property
    def queued(self) -> int:
        """Queries that wait."""
        return len(self._waiting)

    @property
    def size(self) -> int:
        """Workers that there shall be."""
        return max(self._clusters.workers_wanted, 1)

    # --- queries ----------------------------------------------------------------------------------

    async def run(self, fragment: Fragment) -> FragmentResult:
        """See `Supervisor.run`.

        Raises also: Unavailable: it sleeps and may not wake by itself, too many wait, or there are
            no workers to be had; Cancelled: it has waited for too long.
        """
        return await self._supervisor.run(fragment)

    def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """See `Supervisor.stream`; raises as `run`."""
        return self._supervisor.stream(fragment)

    async def take(self, fragment: Fragment) -> WorkerHandle:
        """See `WorkerSupply`."""
        self._queries.waits(fragment)
        limit_ms = fragment.queue_timeout_ms
        if limit_ms is None and self._settings.queue_timeout_s is not None:
            limit_ms = int(self._settings.queue_timeout_s * 1000)
        try:
            async with asyncio.timeout(None if limit_ms is None else limit_ms / 1000):
                if fragment.attempt == 1:  # one whose worker died has been let in before
                    await self._let_in()
                member = await self._turn(self._queue(fragment))
        except TimeoutError as error:
            raise Cancelled(
                f"query {fragment.query_id} waited more than {limit_ms} ms for a worker of virtual "
                f"warehouse {self._settings.name}; allow it more clusters, or more time in the "
                "queue"
            ) from error
        self._queries.runs(fragment, member.worker, member.cluster)
        return member.worker

    async def _let_in(self) -> None:
        if self._pauses:
            self._check_room(self._held)
            self._held += 1
            try:
                while self._pauses:
                    await self._something_ended()
            finally:
                self._held -= 1
        self._check_stopping()
        if not self._clusters.wanted and not self._settings.auto_resume:
            raise Unavailable(
                f"virtual warehouse {self.name} is suspended and auto_resume is off: "
                f"ALTER WAREHOUSE {self.name} RESUME wakes it"
            )
        if self.shortage is not None and not self._clusters.ready:
            raise Unavailable(self.shortage)
        if not self._clusters.free:
            self._check_room(len(self._waiting))

    def _check_room(self, waiting: int) -> None:
        limit = self._settings.max_queued
        if waiting >= limit:
            self._wake_up()  # so that it may succeed later
            raise Unavailable(
                f"virtual warehouse {self._settings.name}: {waiting} queries wait for a worker, "
                f"and max_queued is {limit}; ask again later, or allow it more clusters",
                "53300",
            )

    def _queue(self, fragment: Fragment) -> Waiting:
        now_ms = self._clock.monotonic_ms()
        found = {f.name: f for scan in fragment.inputs for f in scan.files}
        self._heat.touch(found.values(), now_ms)
        files = {name: file.size_bytes for name, file in found.items()}
        waiting = Waiting(fragment=fragment, files=files, since_ms=now_ms)
        self._waiting.add(waiting)
        self._meter.queued(now_ms)
        self._wake_up()
        self._dispatch()
        return waiting

    async def _turn(self, waiting: Waiting) -> Member:
        try:
            return await waiting.turn
        except BaseException:
            self._gave_up(waiting)
            raise

    def _gave_up(self, waiting: Waiting) -> None:
        turn = waiting.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._leave(turn.result().worker, None)  # its turn came just then
            return
        turn.cancel()
        self._waiting.left()
        self._meter.dropped(self._clock.monotonic_ms(), waiting.since_ms)
        self._tell()

    def _dispatch(self) -> None:
        """Workers that are idle take those that wait."""
        while (waiting := self._waiting.next()) is not None:
            member = self._clusters.take(waiting.files)
            if member is None:
                return
            now_ms = self._clock.monotonic_ms()
            self._waiting.left()
            self._meter.started(now_ms, waiting.since_ms)
            self._running[id(member.worker)] = (member, now_ms)
            waiting.turn.set_result(member)

    def give_back(self, worker: WorkerHandle, fragment: Fragment) -> None:
        """See `WorkerSupply`."""
        self._queries.left(fragment, worker)
        self._leave(worker, self._clock.monotonic_ms())

    def lose(self, worker: WorkerHandle, fragment: Fragment, why: str) -> None:
        """See `WorkerSupply`. The fleet replaces it."""
        self._queries.left(fragment, worker)
        member, _ = self._running.pop(id(worker), (None, 0.0))
        if member is None:
            return
        self._meter.ended(self._clock.monotonic_ms(), None)
        self._clusters.remove(member.id)
        self._fleet.dismiss(self._leader, member.id, why)  # before it sees the death
        worker.kill()
        self._serve_somehow()
        self._tell()

    def cost(self, fragment: Fragment, stats: QueryStats) -> None:
        """See `WorkerSupply`."""
        self._queries.cost(fragment, stats)

    def _leave(self, worker: WorkerHandle, ended_ms: float | None) -> None:
        member, began_ms = self._running.pop(id(worker), (None, 0.0))
        if member is None:
            return
        now_ms = self._clock.monotonic_ms()
        self._meter.ended(now_ms, None if ended_ms is None else ended_ms - began_ms)
        self._clusters.release(member)
        if member.gone:
            self._clusters.remove(member.id)
            self._serve_somehow()
        self._give_surplus()
        self._dispatch()
        self._tell()

    # --- clusters ---------------------------------------------------------------------------------

    def resume(self, reason: str = "it was asked to") -> None:
        """Wake up, if it sleeps or is about to. Raises Unavailable: it is being stopped."""
        self._check_stopping()
        self._pauses.clear()
        self._settled.set()
        if not self._clusters.wanted:
            self._decided("resume", max(self._wake_count(), 1), reason)

    def take_over(self, workers: int) -> None:
        """Wake up with as many clusters as these workers are: a coordinator before had them. With
        none it is a new one that begins awake."""
        if not self._clusters.wanted:
            count = self._limits.clamp(-(-workers // self._settings.size))
            why = f"its coordinator died and left {workers} workers" if workers else "it is new"
            self._decided("resume", count, why)

    async def awake(self) -> None:
        """Wait until a worker serves. Raises Unavailable: there is none to be had."""
        while not self._clusters.ready:
            self._check_stopping()
            if self.shortage is not None:
                raise Unavailable(self.shortage)
            if not self._clusters.wanted:
                raise Unavailable(f"virtual warehouse {self._settings.name} was suspended again")
            await self._something_ended()

    async def suspend(self, *, force: bool, reason: str = "it was asked to") -> None:
        """Give all workers back: once all queries are over, or at once, which ends them.

        Raises Unavailable: it was resumed before they were over.
        """
        self._pauses.add(pause := object())
        try:
            if force:
                self._queries.cancel_all(f"virtual warehouse {self.name} was suspended")
            while pause in self._pauses and self._works:
                await self._something_ended()
            if pause not in self._pauses:
                raise Unavailable(f"virtual warehouse {self.name} was resumed before it slept")
            if self._clusters.wanted:
                self._decided("suspend", 0, reason)
        finally:
            self._pauses.discard(pause)
            self._settled.set()

    async def stop(self, *, force: bool) -> None:
        """The same for good: no query is let in from now on, unless this is cancelled."""
        self._stopping += 1
        self._settled.set()
        try:
            if force:
                self._queries.cancel_all(f"virtual warehouse {self._settings.name} was stopped")
            while self._works:
                await self._something_ended()
        except BaseException:
            self._stopping -= 1
            raise
        self._decided("stop", 0, "it was asked to")
        for task in self._background:
            task.cancel()

    def _check_stopping(self) -> None:
        if self._stopping:
            raise Unavailable(f"virtual warehouse {self.name} is being stopped; ask again later")

    @property
    def _works(self) -> bool:
        return bool(self._running or len(self._waiting))

    async def _something_ended(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    def _tell(self) -> None:
        """Something has ended or changed: who waits looks again."""
        self._changed.set()
        self._settled.set()

    def change(self, settings: VirtualWarehouse) -> None:
        """Other settings, from now on."""
        self._settings = settings
        self._limits = Limits.of(settings)
        self._shape = worker_shape(settings)
        self._clusters.reshape(
            self._shape, settings.size, self._limits.slots_per_cluster, settings.scaling_policy
        )
        self._wished_ms = -WISH_AGAIN_MS
        self._give_surplus()
        self._dispatch()
        self._changed.set()

    async def run_scaling(self) -> None:
        """Decide again and again, until cancelled."""
        while True:
            pause_ms = TICK_MS if self._clusters.wanted else WISH_AGAIN_MS
            await self._within(pause_ms, self._changed.wait())
            self._changed.clear()
            self.look()

    async def _within(self, limit_ms: float, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for it, but no longer than that; it ends then."""
        loop = asyncio.get_running_loop()
        tasks = {loop.create_task(work), loop.create_task(self._clock.sleep_ms(limit_ms))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def look(self) -> None:
        """Decide once."""
        now_ms = self._clock.monotonic_ms()
        before = self._clusters.wanted
        load = self._meter.load(now_ms, before, self._clusters.serving)
        decision = decide(load, self._limits, now_ms)
        if decision.clusters > before:
            self._decided("scale out", decision.clusters, decision.reason)
        elif 0 < decision.clusters < before:
            self._decided("scale in", decision.clusters, decision.reason)
        elif decision.clusters < before and not self._stopping:
            self._decided("suspend", 0, decision.reason)
        elif now_ms - self._wished_ms >= WISH_AGAIN_MS:
            self._wish(())

    def _wake_up(self) -> None:
        if not self._clusters.wanted:
            self._decided("resume", max(self._wake_count(), 1), "a query came")

    def _wake_count(self) -> int:
        return wake(self._meter.load(self._clock.monotonic_ms(), 0, 0), self._limits).clusters

    def _decided(self, action: str, clusters: int, reason: str) -> None:
        self._clusters.arrange(clusters)
        if not clusters:
            self.shortage = None
        self._rest(not clusters)
        event = ScalingEvent(
            happened_at=self._clock.now_ms(),
            warehouse=self._settings.name,
            action=action,
            clusters=clusters,
            workers=self._clusters.workers_wanted,
            reason=reason,
        )
        self._wish((event,))
        self._give_surplus()
        self._dispatch()  # a cluster that drained may serve again
        self._tell()

    def _wish(self, events: tuple[ScalingEvent, ...]) -> None:
        self._wished_ms = self._clock.monotonic_ms()
        self._serial += 1
        wish = Wish(
            warehouse=self._settings.name,
            leader=self._leader,
            shape=self._shape,
            clusters=self._clusters.wanted,
            workers=self._clusters.workers_wanted,
            serial=self._serial,
            members=self._clusters.ids,
        )
        self._fleet.wish(wish, events)

    def _give_surplus(self) -> None:
        surplus = self._clusters.surplus()
        for member in surplus:
            self._clusters.remove(member.id)
            member.worker.forget()
        if ids := [member.id for member in surplus]:
            self._fleet.give_back(self._leader, ids)

    # --- workers ----------------------------------------------------------------------------------

    def join(self, id: str, worker: WorkerHandle, shape: WorkerShape) -> None:  # noqa: A002
        """A worker has come. One that was sent twice is known already."""
        if self._clusters.find(id) is not None:
            return
        member = self._clusters.join(id, worker, shape)
        self._give_surplus()
        if self._clusters.find(id) is None:
            return
        if not self._clusters.ready:  # whoever waits, waits for this one
            self._serve(member)
            return
        task = asyncio.get_running_loop().create_task(self._warmed(member))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _warmed(self, member: Member) -> None:
        files = warm_list(
            self._heat,
            self._clusters.placement(member),
            member.id,
            self._settings.cache_bytes,
        )
        if files:
            await self._within(WARM_MS, self._warm(member.worker, files))
        self._serve(member)

    async def _warm(self, worker: WorkerHandle, files: list[HotFile]) -> None:
        try:
            warmed = await worker.warm(files)
        except (MobulaError, WorkerLost):
            return  # a cold worker serves too, and of a dead one the fleet will tell
        self.warm_requests += warmed.requests
        self.warm_bytes += warmed.read_bytes

    def _serve_somehow(self) -> None:
        """If nobody serves any more, those do that were still fetching files."""
        if not self._clusters.ready:
            for member in self._clusters.warming:
                self._serve(member)

    def _serve(self, member: Member) -> None:
        if self._clusters.find(member.id) is None:
            return
        self._clusters.serve(member)
        self.shortage = None if self._complete() else self.shortage
        self._give_surplus()
        self._dispatch()
        self._tell()

    def _complete(self) -> bool:
        return self._clusters.ready >= self._clusters.workers_wanted

    def left(self, id: str) -> None:  # noqa: A002
        """A worker's process is gone. If a query ran there, its call will say so."""
        member = self._clusters.find(id)
        if member is None:
            return
        member.gone = True
        if member.state != "busy":
            self._clusters.remove(id)
            self._serve_somehow()
            self._tell()

    def short(self, text: str | None) -> None:
        """The cluster cannot give what is wished. Those that wait go on waiting if there is a
        worker at all."""
        self.shortage = text
        if text is not None and not self._clusters.ready:
            self._waiting.fail(Unavailable(text))
        self._tell()
