"""Ray's side of nodes: the one actor of a cluster that asks the autoscaler, and its client.

The rules are in `fleet.nodes`. The actor serves the databases of the whole cluster, and is made by
the first fleet that wishes for something. It keeps nothing: after a restart the holders renew their
wishes, and until then what Ray was asked before is asked for still.

Ray's two autoscalers differ here in where they keep the request and their state: version 1 in the
key-value store of the head, version 2 in the head's service, whose answer has both.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ray
from ray.autoscaler.sdk import request_resources

from actors.fleet.nodes import Bundle, NodeWishes
from actors.fleet.supply import Supply, supply_text
from storage.clock import SystemClock

__all__ = ["NodeBroker", "NodeBrokerShell", "describe_supply", "read_supply"]

TICK_MS = 1_000
CALL_S = 30.0


class NodeBrokerShell:
    """The process of the broker."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._error: str | None = None
        self._calls = 0
        self._opened = asyncio.create_task(self._open())
        self._work = asyncio.create_task(self._run())

    async def wish(self, holder: str, bundles: Sequence[Bundle]) -> None:
        """See `NodeWishes.wish`; Ray is told soon."""
        await asyncio.shield(self._opened)
        self._wishes.wish(holder, bundles, self._clock.monotonic_ms())
        self._woken.set()

    async def status(self) -> dict[str, Any]:
        """The holders, what is asked for, how often Ray was told, and why it could not be."""
        await asyncio.shield(self._opened)
        now_ms = self._clock.monotonic_ms()
        return {
            "holders": self._wishes.holders(now_ms),
            "bundles": self._wishes.bundles(now_ms),
            "calls": self._calls,
            "last_error": self._error,
            "pid": os.getpid(),
        }

    async def _open(self) -> None:
        self._woken = asyncio.Event()
        try:
            inherited = (await asyncio.to_thread(read_supply)).requested
        except Exception as error:  # whatever Ray raises: nothing is inherited then
            self._error, inherited = str(error), ()
        self._wishes = NodeWishes(inherited=inherited, now_ms=self._clock.monotonic_ms())

    async def _run(self) -> None:
        """Tell Ray when a wish came, or lapsed; try again at the next tick what did not work."""
        await self._opened
        while True:
            now_ms = self._clock.monotonic_ms()
            if self._wishes.changed(now_ms):
                await self._tell(self._wishes.bundles(now_ms))
            try:
                await asyncio.wait_for(self._woken.wait(), TICK_MS / 1000)
            except TimeoutError:
                continue
            self._woken.clear()

    async def _tell(self, bundles: list[dict[str, float]]) -> None:
        try:
            await asyncio.to_thread(request_resources, bundles=bundles)
        except Exception as error:  # whatever Ray raises: the head may be away
            self._error = str(error)
        else:
            self._error = None
            self._calls += 1
            self._wishes.told(bundles, self._clock.monotonic_ms())


class NodeBroker:
    """`Nodes` of one fleet: tells the broker, and goes on without it where that fails.

    Args:
        holder: the name of the fleet, one in the whole cluster.
        find, start: the broker's actor, where it is there; found or made.
    Attributes:
        last_error: why the last wish was not heard; None if it was.
    """

    def __init__(
        self, holder: str, *, find: Callable[[], Any | None], start: Callable[[], Any]
    ) -> None:
        self.last_error: str | None = None
        self._holder = holder
        self._find = find
        self._start = start
        self._actor: Any = None
        self._turn = asyncio.Lock()  # a wish must not overtake the one before it

    async def wish(self, bundles: Sequence[Bundle]) -> None:
        """See `Nodes`. Returns when the broker has heard it, or after `CALL_S`."""
        try:
            async with self._turn:
                await self._send([dict(bundle) for bundle in bundles])
        except ray.exceptions.RayTaskError as error:
            self.last_error = str(error.cause)
        except (ray.exceptions.RayError, TimeoutError, ConnectionError) as error:
            self._actor = None
            self.last_error = str(error) or f"the node broker did not answer within {CALL_S:g} s"
        else:
            self.last_error = None

    async def _send(self, bundles: list[dict[str, float]]) -> None:
        if self._actor is None:
            # Who wants nothing starts no broker to say so.
            self._actor = await asyncio.to_thread(self._start if bundles else self._find)
        if self._actor is not None:
            reply = self._actor.wish.remote(self._holder, bundles).future()
            await asyncio.wait_for(asyncio.wrap_future(reply), CALL_S)


async def describe_supply(wanted: Sequence[Bundle]) -> str:
    """A sentence for an error: what a database asks for, what the cluster has and does."""
    try:
        supply = await asyncio.to_thread(read_supply)
    except Exception as error:  # whatever Ray raises: the error that this is for matters more
        return f"this database asks for {len(wanted)} workers; the cluster does not answer: {error}"
    return supply_text(wanted, supply)


def read_supply() -> Supply:
    """What the cluster has, and what its autoscaler says. Blocks for some milliseconds."""
    from ray.autoscaler.v2.utils import is_autoscaler_v2

    nodes = tuple(node["Resources"] for node in ray.nodes() if node["Alive"])  # type: ignore[no-untyped-call]
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    # Asked of the head each time: a cached answer would outlive the cluster it was about.
    read = _read_version_2 if is_autoscaler_v2(fetch_from_server=True) else _read_version_1
    return read(nodes, free)


def _read_version_1(nodes: tuple[dict[str, float], ...], free: dict[str, float]) -> Supply:
    from ray._private.ray_constants import DEBUG_AUTOSCALING_ERROR, DEBUG_AUTOSCALING_STATUS
    from ray.autoscaler._private.constants import (  # type: ignore[attr-defined]
        AUTOSCALER_RESOURCE_REQUEST_CHANNEL,
    )
    from ray.experimental.internal_kv import _internal_kv_get

    status = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or "{}")
    report = status.get("autoscaler_report") or {}
    starting = Counter(report.get("pending_launches") or {})
    starting.update(kind for _, kind, _ in report.get("pending_nodes") or ())
    availability = (report.get("node_availability_summary") or {}).get("node_availabilities") or {}
    failed = [f"{kind} on {address}" for address, kind in report.get("failed_nodes") or ()]
    failed += [_unavailable(kind, one) for kind, one in availability.items()]
    if error := _internal_kv_get(DEBUG_AUTOSCALING_ERROR):
        failed.append(error.decode("utf-8", "replace").strip().rpartition("\n")[2])
    return Supply(
        nodes=nodes,
        free=free,
        starting=dict(starting),
        failed=tuple(reason for reason in failed if reason),
        requested=tuple(json.loads(_internal_kv_get(AUTOSCALER_RESOURCE_REQUEST_CHANNEL) or "[]")),
    )


def _unavailable(kind: str, availability: dict[str, Any]) -> str:
    if availability.get("is_available", True):
        return ""
    found = availability.get("unavailable_node_information") or {}
    return f"{kind}: {found.get('description') or found.get('category') or 'no reason given'}"


def _read_version_2(nodes: tuple[dict[str, float], ...], free: dict[str, float]) -> Supply:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.autoscaler_pb2 import (  # type: ignore[attr-defined]
        GetClusterStatusReply,
    )

    reply = GetClusterStatusReply()
    client = GcsClient(ray.get_runtime_context().gcs_address)
    reply.ParseFromString(client.get_cluster_status())
    state = reply.autoscaling_state
    starting: Counter[str] = Counter(one.ray_node_type_name for one in state.pending_instances)
    for one in state.pending_instance_requests:
        starting[one.ray_node_type_name] += one.count
    return Supply(
        nodes=nodes,
        free=free,
        starting=dict(starting),
        failed=tuple(
            f"{one.ray_node_type_name}: {one.reason}" for one in state.failed_instance_requests
        ),
        infeasible=_constraints(state.infeasible_cluster_resource_constraints),
        requested=_constraints(reply.cluster_resource_state.cluster_resource_constraints),
    )


def _constraints(found: Iterable[Any]) -> tuple[dict[str, float], ...]:
    return tuple(
        dict(request.request.resources_bundle)
        for constraint in found
        for request in constraint.resource_requests
        for _ in range(request.count)
    )
