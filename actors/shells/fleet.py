"""The process of the fleet, and the cluster as the host of its processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
import ray.exceptions

from actors.compute.workers import WorkerLost
from actors.fleet.fleet import Fleet, FleetLimits
from actors.fleet.host import FoundProcess
from actors.fleet.port import Wish
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.node_broker import NodeBroker, describe_supply
from actors.observed import Observed, ScalingEvent
from actors.ray_metrics import RayMetrics
from actors.settings import NodeSettings
from actors.shells.handles import RayCoordinator, answer
from actors.shells.opening import Opening
from actors.virtual_warehouse.metrics import Meter
from storage.clock import SystemClock
from storage.errors import Unavailable
from storage.ids import RandomIds

__all__ = ["ClusterCalls", "FleetShell", "floors"]

INTRODUCE_S = 5.0  # how long a process that runs already may take to say what it is
UNREACHABLE_S = 0.5


class ClusterCalls:
    """What the fleet does on the cluster; made by `spawn`, since it starts actors. Can be
    pickled."""

    def __init__(
        self,
        *,
        start: Callable[[str, Shape], Any],
        list_processes: Callable[[], list[tuple[str, Any]]],
        find_primary: Callable[[], Any | None],
        bundle: Callable[[Shape], Mapping[str, float]],
        node_broker: Callable[[], NodeBroker],
    ) -> None:
        self.start = start
        self.list_processes = list_processes
        self.find_primary = find_primary
        self.bundle = bundle
        self.node_broker = node_broker


class _ClusterHost:
    """`Host` on the cluster. A handle is an actor's."""

    def __init__(self, calls: ClusterCalls) -> None:
        self._calls = calls
        self._nodes = calls.node_broker()
        self._wished: Sequence[Mapping[str, float]] = ()

    def start(self, id: str, shape: Shape) -> Any:  # noqa: A002
        return self._calls.start(id, shape)

    async def ready(self, handle: Any) -> int:
        return int(await answer(handle.ready.remote(), "starting a process"))

    async def gone(self, handle: Any) -> None:
        while True:
            try:
                await asyncio.wrap_future(handle.forever.remote().future())
            except ray.exceptions.ActorUnavailableError:
                await asyncio.sleep(UNREACHABLE_S)  # it cannot be reached, and may be there
            except ray.exceptions.RayError:
                return

    def kill(self, handle: Any) -> None:
        ray.kill(handle)

    async def lend(self, handle: Any, warehouse: str) -> None:
        await answer(handle.lend.remote(warehouse), "lending a worker")

    async def busy(self, handle: Any) -> bool:
        return bool(await answer(handle.busy.remote(), "asking a worker"))

    def coordinator(self, handle: Any) -> RayCoordinator:
        return RayCoordinator(handle)

    async def found(self) -> list[FoundProcess]:
        listed = await asyncio.to_thread(self._calls.list_processes)
        introduced = await asyncio.gather(*(self._introduced(*entry) for entry in listed))
        return [found for found in introduced if found is not None]

    async def _introduced(self, id: str, handle: Any) -> FoundProcess | None:  # noqa: A002
        """What a process says it is; one that says nothing is ended: it may never have started."""
        with contextlib.suppress(WorkerLost, TimeoutError):
            async with asyncio.timeout(INTRODUCE_S):
                shape, pid, name = await answer(handle.introduce.remote(), "asking a process")
                return FoundProcess(id=id, shape=shape, handle=handle, pid=pid, warehouse=name)
        ray.kill(handle)
        return None

    async def observed_by_primary(self, kind: str) -> Sequence[Observed]:
        primary = await asyncio.to_thread(self._calls.find_primary)
        if primary is None:
            return ()
        found: Sequence[Observed] = await answer(primary.observed.remote(kind), "the primary")
        return found

    async def nodes(self, bundles: Sequence[Mapping[str, float]]) -> None:
        self._wished = bundles
        await self._nodes.wish(bundles)

    def bundle(self, shape: Shape) -> Mapping[str, float]:
        return self._calls.bundle(shape)

    async def supply(self) -> str:
        said = await describe_supply(self._wished)
        broken = self._nodes.last_error
        return said if broken is None else f"{said}; the node broker was not reached: {broken}"


def floors(node: NodeSettings) -> dict[Shape, int]:
    """Spare processes that the settings ask for."""
    settings = node.settings.ray
    found: dict[Shape, int] = {
        WorkerShape(node_type=name, cpus=kind.cpus, memory_bytes=kind.memory_bytes): kind.floor
        for name, kind in settings.node_types.items()
        if kind.floor
    }
    if settings.coordinator_floor:
        found[COORDINATOR] = settings.coordinator_floor
    return found


class FleetShell:
    """Ray restarts it for ever; the processes that it has started go on meanwhile."""

    def __init__(self, node: NodeSettings, calls: ClusterCalls) -> None:
        self._node = node
        self._calls = calls
        self._fleet = Opening(self._open)

    async def ready(self) -> int:
        """The process id, once it has found what an earlier one left."""
        await self._fleet.get()
        return os.getpid()

    async def coordinator(self, name: str, first: Wish | None = None) -> Any:
        """See `Fleet.coordinator`."""
        fleet = await self._fleet.get()
        try:
            return await fleet.coordinator(name, first)
        except WorkerLost as error:
            raise Unavailable(
                f"virtual warehouse {name}: its process died; ask again: {error}"
            ) from error

    async def stop(self, name: str, force: bool) -> None:
        """See `Fleet.stop`."""
        await (await self._fleet.get()).stop(name, force=force)

    async def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        """See `FleetPort`."""
        (await self._fleet.get()).wish(wish, events)

    async def give_back(self, leader: str, ids: Sequence[str]) -> None:
        """See `FleetPort`."""
        (await self._fleet.get()).give_back(leader, ids)

    async def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        """See `FleetPort`."""
        (await self._fleet.get()).dismiss(leader, id, why)

    async def dropped(self, leader: str) -> None:
        """See `FleetPort`."""
        (await self._fleet.get()).dropped(leader)

    async def running(self) -> dict[str, Any]:
        """See `Fleet.running`."""
        return (await self._fleet.get()).running()

    async def cancel(self, query_id: str) -> bool:
        """See `Fleet.cancel`."""
        return await (await self._fleet.get()).cancel(query_id)

    async def observe(self, kind: str) -> list[Observed]:
        """See `Fleet.observe`."""
        return await (await self._fleet.get()).observe(kind)

    async def status(self) -> dict[str, Any]:
        """See `Fleet.status`."""
        fleet = await self._fleet.get()
        return {**fleet.status(), "pid": os.getpid()}

    async def close(self) -> None:
        """End all processes of the fleet; the caller ends this one."""
        await (await self._fleet.get()).close()

    async def _open(self) -> Fleet:
        limits = FleetLimits(
            floors=floors(self._node),
            start_timeout_ms=self._node.settings.ray.start_timeout_s * 1000,
        )
        meter = Meter(RayMetrics(), self._node.root)
        fleet = Fleet(_ClusterHost(self._calls), limits, SystemClock(), RandomIds(), meter)
        await fleet.open()
        return fleet
