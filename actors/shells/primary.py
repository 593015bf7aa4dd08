"""The process of the primary."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import ray

from actors.channel import Address, Method
from actors.compute.queries import QueryLog
from actors.compute.workers import WorkerLost
from actors.lifeline import Lifelines
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.observed import Observed
from actors.planner import Planner
from actors.primary.promotion import Promotion
from actors.ray_ingest import IngestTasks, RayIngest
from actors.ray_metrics import RayMetrics
from actors.ray_rewriter import RayRewriter, StartRewriting
from actors.service import PrimaryService
from actors.settings import NodeSettings
from actors.shells.fleet_calls import observed_by_fleet
from actors.shells.handles import RayWorker, answer
from actors.shells.listening import Listening
from actors.shells.opening import Opening, StreamingShell, node_address
from actors.shells.rows import fetch_rows, share_rows
from actors.virtual_warehouse.metrics import Meter
from storage.clock import SystemClock
from storage.errors import Fenced, MobulaError, Unavailable
from storage.ids import RandomIds
from storage.log.epoch import Owner
from storage.snapshot.model import IngestToken, Receipt

__all__ = ["PrimaryShell", "PrimaryTasks"]

MEASURE_S = 10.0  # as often as Ray hands values on
LOOKUP_PAUSE_S = 5.0  # how long a virtual warehouse that was not found is not looked for

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimaryTasks:
    """How its tasks are started: `spawn.PRIMARY_TASKS`."""

    ingest: IngestTasks
    rewriting: StartRewriting
    cluster_cpus: Callable[[], float]


class PrimaryShell(StreamingShell):
    """The process of the primary. `start_worker` makes the worker of its own compute."""

    def __init__(
        self,
        node: NodeSettings,
        make_planner: Callable[[], Planner],
        start_worker: Callable[[NodeSettings, Callable[[], Planner]], Any],
        find_fleet: Callable[[NodeSettings], Any],
        tasks: PrimaryTasks,
    ) -> None:
        super().__init__()
        self._node = node
        self._planner = make_planner()
        self._make_planner = make_planner
        self._start = start_worker
        self._find_fleet = find_fleet
        self._tasks = tasks
        self._warehouses: dict[str, Any] = {}
        self._looked_s = -LOOKUP_PAUSE_S
        # Ray keeps an actor's id when it restarts it, and never runs two of one id: a successor
        # with our id knows that its predecessor is dead.
        self._id = f"ray-{ray.get_runtime_context().get_actor_id()}"
        self._meter = Meter(RayMetrics(), node.root)
        served: dict[str, Method] = {
            "execute": self.execute,
            "get": self.get,
            "submit": self.submit,
        }
        self._listening = Listening(served)
        self._lifelines = Lifelines(node_address(), self._gone)
        self._leaving = False
        self._measuring = False
        self._promoting = asyncio.Lock()
        self._service = Opening(self._open)

    async def ready(self) -> None:
        """Return once the primary serves, or raise why it does not."""
        await self._serving()

    async def channel(self) -> Address | None:
        """Where `execute`, `get` and `submit` are taken as well; see `actors.channel`."""
        return await self._listening.address()

    async def take(self, name: str) -> Any:
        """A reply that was too large for the channel."""
        return self._listening.take(name)

    async def submit(self, transaction: Transaction) -> Receipt:
        return await self._run(lambda service: service.submit(transaction))

    async def outcome(self, token: IngestToken) -> Receipt | None:
        return await self._run(lambda service: service.outcome(token))

    async def execute(self, statement: Statement) -> QueryReply | CommitReply:
        return await self._run(lambda service: service.execute(statement))

    async def stream(self, statement: Statement) -> tuple[str, pa.Schema]:
        """Open a stream; its id, and the schema of its rows."""
        return self._opened(await self._run(lambda service: service.stream(statement)))

    async def get(self, lookup: Lookup) -> QueryReply:
        return await self._run(lambda service: service.get(lookup))

    async def control(self, control: TransactionControl) -> TransactionReply:
        return await self._run(lambda service: service.control(control))

    async def reserve(self, sequence_id: int, count: int) -> int:
        return await self._run(lambda service: service.reserve(sequence_id, count))

    async def table(self, schema: str, name: str) -> TableInfo:
        return await self._run(lambda service: service.table(schema, name))

    async def status(self) -> dict[str, Any]:
        service = await self._service.get()
        return {**service.status(), "pid": os.getpid()}

    async def greet(self, name: str, coordinator: Any) -> None:
        """A virtual warehouse has started."""
        self._warehouses[name] = coordinator

    async def hello(self) -> tuple[str, int]:
        """Where clients hold a lifeline."""
        return await self._lifelines.address()

    async def cancel(self, query_id: str) -> bool:
        """See `PrimaryService.cancel`."""
        return (await self._service.get()).cancel(query_id)

    async def observed(self, kind: str) -> Sequence[Observed]:
        """See `PrimaryService.observed`."""
        return (await self._service.get()).observed(kind)

    async def close(self) -> None:
        """Finish and step down; the caller ends the process."""
        await self.release()
        await self._listening.close()

    async def release(self) -> Owner | None:
        """Finish what is queued and step down, for good; the caller ends the process.

        Returns: who has stepped down; None: it did not reign.
        """
        self._leaving = True
        service = await self._service.give_up()
        if service is None:
            return None
        reigned = service.stopped is None
        await service.close()
        return service.owner if reigned else None

    async def promote(self) -> Promotion:
        """Take over now, whoever reigns; nothing is done if it is this process.

        Raises: Unavailable: the store does not answer, or this process is about to end.
        """
        async with self._promoting:
            began_ms = SystemClock().monotonic_ms()
            service = self._service.now()
            if service is not None and service.stopped is None:
                with contextlib.suppress(Fenced):  # it has not heard of it before
                    return await service.promotion(None)
            self._refuse_leaving()
            if service is not None:
                await service.close()
            opened = await self._service.instead(lambda: self._open(force=True))
            return await opened.promotion(began_ms)

    async def _run(self, call: Callable[[PrimaryService], Coroutine[Any, Any, S]]) -> S:
        service = await self._serving()
        try:
            return await call(service)
        except MobulaError:
            if service.stopped is not None:
                self._renew(service)
            raise

    async def _serving(self) -> PrimaryService:
        """Raises why it has stopped, if nobody has heard that yet; Unavailable: who reigns."""
        self._refuse_leaving()
        service = await self._service.get()
        if (reason := service.stopped) is not None:
            self._renew(service)
            raise reason
        return service

    def _renew(self, service: PrimaryService) -> None:
        """It has stopped, and somebody hears why: open another."""
        if self._service.now() is service and not self._leaving:
            self._service.renew(service.close())

    def _refuse_leaving(self) -> None:
        if self._leaving:
            raise Unavailable(
                "the primary has stepped down and its process is about to end; repeat the call"
            )

    def _gone(self, session: str) -> None:
        if (service := self._service.now()) is not None:
            service.cancel_session(session, "its client is gone")

    async def _open(self, *, force: bool = False) -> PrimaryService:
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
            share=share_rows,
            fetch_rows=fetch_rows,
            queries=QueryLog("", SystemClock(), ids, self._meter.query_ended),
            make_ingest=lambda own: RayIngest(own, self._node, self._tasks.ingest),
            make_rewriter=lambda own: RayRewriter(
                own, self._node, self._tasks.rewriting, self._tasks.cluster_cpus
            ),
            observe=self._observe,
            force=force,
        )
        service.listen("warehouses", lambda lsn: self._push(service, lsn))
        service.listen("metrics", lambda lsn: self._measure_soon(service))
        return service

    def _measure_soon(self, service: PrimaryService) -> None:
        """Something was written; what it is in all goes to the metrics now and then."""
        if not self._measuring:
            self._measuring = True
            asyncio.get_running_loop().call_later(MEASURE_S, self._measure, service)

    def _measure(self, service: PrimaryService) -> None:
        self._measuring = False
        status = service.status()
        by = {"clients": status["foreground_bytes"], "maintenance": status["background_bytes"]}
        self._meter.written(
            by, read=status["read_amplification"], space=status["space_amplification"]
        )
        self._meter.past(
            kept_bytes=status["past_bytes"],
            pins=len(status["pinned"]),
            collected_bytes=status["deleted_bytes"],
        )

    async def _start_own(self) -> RayWorker:
        actor = self._start(self._node, self._make_planner)
        return RayWorker(actor, await answer(actor.ready.remote(), "starting a worker"))

    async def _observe(self, kind: str) -> Sequence[Observed]:
        return await observed_by_fleet(self._find_fleet(self._node), kind)

    def _push(self, service: PrimaryService, lsn: int) -> None:
        """Hint to every virtual warehouse that runs; one that does not look is none the worse."""
        names = service.warehouse_names()
        self._warehouses = {k: v for k, v in self._warehouses.items() if k in names}
        if names - self._warehouses.keys():
            self._look_for_warehouses()
        for coordinator in self._warehouses.values():
            coordinator.hint.remote(lsn)

    def _look_for_warehouses(self) -> None:
        """After a restart, those that ran before are not known."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOKUP_PAUSE_S:
            return
        self._looked_s = now_s
        if (fleet := self._find_fleet(self._node)) is not None:
            self._learning = asyncio.create_task(self._learn(fleet))

    async def _learn(self, fleet: Any) -> None:
        with contextlib.suppress(MobulaError, WorkerLost):
            running = await answer(fleet.running.remote(), "the fleet")
            self._warehouses.update(running)
