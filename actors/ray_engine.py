"""A database on a Ray cluster: actors found by name, calls translated, writes repeated by token.

Ray's errors end here. A call whose actor died comes back as `Unavailable`; a write is repeated with
its token until it is known to have happened, because Ray restarts the primary and the primary
recovers from the log.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import ray

from actors import spawn
from actors.channel import BlockingChannel, Disconnected, Kept, Unpacked
from actors.compute.streams import KEEP_MS
from actors.fleet.port import first_wish
from actors.lifeline import hold_lifeline
from actors.loop import LoopThread
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Session,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.observed import Observed
from actors.planner import Planner
from actors.primary.promotion import Promotion
from actors.ray_calls import ActorGone, end, got, patiently
from actors.ray_ingest import RayIngest
from actors.settings import NodeSettings
from actors.shells.listening import pack_plain
from actors.store_client import StoreClient
from storage.clock import SystemClock
from storage.errors import MobulaError, Unavailable
from storage.ids import RandomIds
from storage.log.epoch import Owner, newest_owner
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import IngestToken, Receipt

__all__ = ["RayEngine", "ensure_ray"]

LOGICAL_CPUS_MIN = 4  # on a laptop: primary, coordinators and workers share few real cores
REPEAT_S = 120.0  # how long a write is repeated while the primary restarts
GRACE_S = 30.0  # beyond a statement's own timeout: for the reply
ON_CHANNELS = {"get", "query"}  # methods of coordinators that are called over channels


def ensure_ray() -> None:
    """Use the Ray that this process has, else the cluster it is on, else start one here."""
    if ray.is_initialized():
        return
    try:
        ray.init(address="auto", log_to_driver=False)
    except ConnectionError:
        import os

        cpus = max(os.cpu_count() or 1, LOGICAL_CPUS_MIN)
        ray.init(num_cpus=cpus, log_to_driver=False, include_dashboard=False)


R = TypeVar("R", QueryReply, QueryReply | CommitReply)


def _with_rows(reply: R) -> R:
    """A reply whose rows are here."""
    if isinstance(reply, QueryReply) and isinstance(reply.rows, ray.ObjectRef):
        rows = got(reply.rows, None, "fetching the result")
        assert isinstance(rows, pa.Table)
        return dataclasses.replace(reply, rows=rows)
    return reply


class RayEngine(StoreClient):
    """`Engine` on the Ray cluster that this process is connected to."""

    def __init__(self, node: NodeSettings, make_planner: Callable[[], Planner]) -> None:
        ensure_ray()
        super().__init__(node)
        self._ingest = RayIngest(self._ingest, node, spawn.INGEST_TASKS)
        self._make_planner = make_planner
        self._start_s = node.settings.ray.start_timeout_s
        self._primary: Any = None
        self._lifelines: dict[Any, socket.socket | None] = {}
        self._channels: dict[Any, BlockingChannel | None] = {}

    def execute(self, statement: Statement) -> QueryReply | CommitReply:
        statement = _named(statement)
        timeout_s = statement.timeout_ms / 1000 + GRACE_S

        def once(primary: Any) -> Any:
            self.hold_lifeline(primary, statement.session)
            return self.ask(primary, "execute", statement, timeout_s, "the primary")

        try:
            reply: QueryReply | CommitReply = self._repeated(once)
        except KeyboardInterrupt:
            if self._primary is not None:  # a read ends; a write may have happened
                self._primary.cancel.remote(statement.query_id)
            raise
        return _with_rows(reply)

    def stream(self, statement: Statement) -> RayStream:
        timeout_s = statement.timeout_ms / 1000 + GRACE_S

        def opened(primary: Any) -> RayStream:
            self.hold_lifeline(primary, statement.session)
            key, schema = got(primary.stream.remote(statement), timeout_s, "the primary")
            return self.stream_of(primary, key, schema, statement)

        found = self._repeated(opened)
        assert isinstance(found, RayStream)
        return found

    def stream_of(self, actor: Any, key: str, schema: pa.Schema, statement: Statement) -> RayStream:
        """A stream that this actor has opened."""
        timeout_s = statement.timeout_ms / 1000 + GRACE_S
        return RayStream(actor, key, schema, timeout_s, self._loop)

    def submit(self, transaction: Transaction) -> Receipt:
        receipt = self._repeated(
            lambda primary: self.ask(primary, "submit", transaction, REPEAT_S, "the primary")
        )
        assert isinstance(receipt, Receipt)
        return receipt

    def outcome(self, token: IngestToken) -> Receipt | None:
        receipt: Receipt | None = self._repeated(
            lambda primary: got(primary.outcome.remote(token), REPEAT_S, "the primary")
        )
        return receipt

    def get(self, lookup: Lookup) -> QueryReply:
        timeout_s = lookup.timeout_ms / 1000 + GRACE_S
        reply = self._repeated(
            lambda primary: self.ask(primary, "get", lookup, timeout_s, "the primary")
        )
        assert isinstance(reply, QueryReply)
        return _with_rows(reply)

    def control(self, control: TransactionControl) -> TransactionReply:
        reply = self._repeated(
            lambda primary: got(primary.control.remote(control), REPEAT_S, "the primary")
        )
        assert isinstance(reply, TransactionReply)
        return reply

    def table(self, schema: str, name: str) -> TableInfo:
        info = self._repeated(
            lambda primary: got(primary.table.remote(schema, name), self._start_s, "the primary")
        )
        assert isinstance(info, TableInfo)
        return info

    def reserve(self, sequence_id: int, count: int) -> int:
        first = self._repeated(
            lambda primary: got(
                primary.reserve.remote(sequence_id, count), self._start_s, "the primary"
            )
        )
        assert isinstance(first, int)
        return first

    def start_warehouse(self, name: str, new: VirtualWarehouse | None = None) -> RayWarehouse:
        return RayWarehouse(name, self, self.coordinator(name, new))

    def coordinator(self, name: str, new: VirtualWarehouse | None = None) -> Any:
        """The actor that coordinates a virtual warehouse, found or started by the fleet."""
        self.ensure_open()
        what = f"virtual warehouse {name}"
        first = None if new is None else first_wish(new)
        limit_s = self._start_s + GRACE_S  # the fleet itself says what is missing after the first

        def once() -> Any:
            fleet = spawn.start_fleet(self._node, self._make_planner)
            return got(fleet.coordinator.remote(name, first), limit_s, what)

        return patiently(once, limit_s, what)

    def stop_warehouse(self, name: str, *, force: bool = False) -> None:
        if (fleet := self._fleet()) is not None:
            with contextlib.suppress(ActorGone):
                got(fleet.stop.remote(name, force), None, f"stopping virtual warehouse {name}")

    def refresh_warehouse(self, name: str) -> None:
        actor = self._of_fleet("running", {}).get(name)
        if actor is not None:
            with contextlib.suppress(ActorGone, Unavailable):  # it looks by itself, later
                got(actor.refresh.remote(), GRACE_S, f"virtual warehouse {name}")

    def observe(self, kind: str) -> Sequence[Observed]:
        found: Sequence[Observed] = self._of_fleet("observe", (), kind)
        return found

    def _of_fleet(self, method: str, nothing: Any, *arguments: Any) -> Any:
        """What the fleet answers; `nothing` where none runs."""
        fleet = self._fleet()
        if fleet is None:
            return nothing
        try:
            return got(getattr(fleet, method).remote(*arguments), GRACE_S, "the fleet")
        except ActorGone:
            return nothing

    def cancel(self, query_id: str) -> bool:
        found = False
        for actor in (self._fleet(), self._running_primary()):
            if actor is not None:
                with contextlib.suppress(ActorGone):
                    found |= bool(got(actor.cancel.remote(query_id), GRACE_S, "ending a query"))
        return found

    def status(self) -> dict[str, Any]:
        primary = self._running_primary()
        if primary is None:
            return {}
        try:
            found = got(primary.status.remote(), self._start_s, "the primary")
        except ActorGone as error:
            raise Unavailable(f"the primary is restarting: {error}") from error
        assert isinstance(found, dict)
        return found

    def release_primary(self) -> Owner | None:
        primary = self._running_primary()
        if primary is None:
            return None
        with contextlib.suppress(ActorGone):  # Ray restarts it: then it reigns anew, if at all
            owner: Owner | None = got(primary.release.remote(), REPEAT_S, "the primary")
            ray.kill(primary)
            return owner
        raise Unavailable("the primary died while it stepped down, and is restarting; repeat it")

    def promote_primary(self) -> Promotion:
        before = self._loop.run(newest_owner(self.store))
        promotion: Promotion = self._repeated(
            lambda primary: got(primary.promote.remote(), REPEAT_S, "the primary")
        )
        if promotion.before is not None and promotion.before.id == promotion.owner.id:
            # Its process began by itself to take over, and was interrupted.
            return dataclasses.replace(promotion, before=before and before[1])
        return promotion

    def _is_own(self, owner: Owner) -> bool:
        primary = self._running_primary()
        return primary is not None and owner.id == spawn.owner_id(primary)

    def shutdown(self) -> None:
        if (fleet := spawn.find_fleet(self._node)) is not None:
            end(fleet)
        if (primary := spawn.find_primary(self._node)) is not None:
            end(primary)
        self.close()

    def close(self) -> None:
        for line in self._lifelines.values():
            if line is not None:
                line.close()
        self._lifelines.clear()
        for channel in self._channels.values():
            if channel is not None:
                channel.close()
        self._channels.clear()
        super().close()

    def ask(
        self, actor: Any, method: str, argument: Any, timeout_s: float | None, what: str
    ) -> Any:
        """Call a method of an actor that listens: over its channel, or by Ray where there is none
        or the argument cannot go over it."""
        key = actor._actor_id
        if key not in self._channels:
            address = got(actor.channel.remote(), timeout_s, what)
            made = None if address is None else BlockingChannel(address)
            self._channels.setdefault(key, made)  # another thread may have been faster
        channel = self._channels.get(key)
        try:
            if channel is None:
                raise Unpacked
            found = channel.call(pack_plain((method, argument)), timeout_s)
        except Unpacked:
            pass
        except TimeoutError as error:
            raise Unavailable(f"{what} did not answer within {timeout_s:g} s; retry") from error
        except Disconnected as error:
            if channel is not None and channel.reached:
                self._channels.pop(key, None)  # it may listen elsewhere when it is back
                raise ActorGone(str(error)) from error
            self._channels[key] = None
        else:
            if not isinstance(found, Kept):
                return found
            return got(actor.take.remote(found.name), timeout_s, what)
        return got(getattr(actor, method).remote(argument), timeout_s, what)

    def hold_lifeline(self, actor: Any, session: Session) -> None:
        """Let an actor that works for a session know when this process is gone."""
        key = actor._actor_id, session.id
        if key in self._lifelines or not session.id:
            return
        self._lifelines[key] = None
        with contextlib.suppress(MobulaError, ActorGone):
            address = got(actor.hello.remote(), self._start_s, "a lifeline")
            self._lifelines[key] = hold_lifeline(address, session.id)

    def _fleet(self) -> Any:
        """The one that runs, if one does."""
        self.ensure_open()
        return spawn.find_fleet(self._node)

    def _running_primary(self) -> Any:
        """The one that runs, if one does."""
        self.ensure_open()
        return spawn.find_primary(self._node)

    def _handle(self) -> Any:
        """The primary, started if need be."""
        self.ensure_open()
        if self._primary is None:
            self._primary = spawn.start_primary(self._node, self._make_planner)
        return self._primary

    def _repeated(self, call: Callable[[Any], Any]) -> Any:
        """Call the primary; find or start it again whenever it is gone."""

        def once() -> Any:
            try:
                return call(self._handle())
            except ActorGone:
                self._primary = None
                raise

        return patiently(once, REPEAT_S, "the primary")


def _named(asked: Any) -> Any:
    """The same with an id, so that it can be ended."""
    return asked if asked.query_id else dataclasses.replace(asked, query_id=RandomIds().new())


class RayWarehouse:
    """`WarehouseClient` of a virtual warehouse on the cluster. Its coordinator may be replaced:
    then a read is sent again, to the next one."""

    def __init__(self, name: str, engine: RayEngine, actor: Any) -> None:
        self._name = name
        self._engine = engine
        self._actor: Any = actor

    def query(self, statement: Statement) -> QueryReply:
        reply: QueryReply = self._asked("query", statement)
        return _with_rows(reply)

    def get(self, lookup: Lookup) -> QueryReply:
        reply: QueryReply = self._asked("get", lookup)
        return _with_rows(reply)

    def stream(self, statement: Statement) -> RayStream:
        key, schema = self._asked("stream", statement)
        return self._engine.stream_of(self._actor, key, schema, statement)

    def suspend(self, *, force: bool = False) -> None:
        self._called("suspend", None, force)

    def resume(self) -> None:
        self._called("resume", None)

    def status(self) -> dict[str, Any]:
        found = self._called("status", GRACE_S)
        assert isinstance(found, dict)
        return found

    def _asked(self, method: str, asked: Statement | Lookup) -> Any:
        asked = _named(asked)
        timeout_s = asked.timeout_ms / 1000 + GRACE_S
        with self._ends_with_us(asked.query_id):
            return self._called(method, timeout_s, asked)

    def _called(self, method: str, timeout_s: float | None, *arguments: Any) -> Any:
        self._engine.ensure_open()
        what = f"virtual warehouse {self._name}"

        def once() -> Any:
            if self._actor is None:
                self._actor = self._engine.coordinator(self._name)
            if arguments and isinstance(arguments[0], Statement | Lookup):
                self._engine.hold_lifeline(self._actor, arguments[0].session)
            try:
                if method in ON_CHANNELS:
                    return self._engine.ask(self._actor, method, arguments[0], timeout_s, what)
                return got(getattr(self._actor, method).remote(*arguments), timeout_s, what)
            except ActorGone:
                self._actor = None
                raise

        return patiently(once, GRACE_S, what)

    @contextlib.contextmanager
    def _ends_with_us(self, query_id: str) -> Iterator[None]:
        """Who gives up, by Ctrl-C or because no answer comes, ends the query too."""
        try:
            yield
        except BaseException as error:
            gave_up = not isinstance(error, Exception) or isinstance(error, Unavailable)
            if gave_up and self._actor is not None and ray.is_initialized():
                self._actor.cancel.remote(query_id)
            raise


class RayStream:
    """`BatchSource` of a query on the cluster: references come through the actor that planned it,
    rows from the worker's node. One batch is asked for ahead."""

    def __init__(
        self, actor: Any, key: str, schema: pa.Schema, timeout_s: float, loop: LoopThread
    ) -> None:
        self.schema = schema
        self._actor = actor
        self._key = key
        self._timeout_s = timeout_s
        self._ahead: Any = None
        self._keeping = loop.start(_keep(actor, key))

    def read(self) -> pa.RecordBatch | None:
        reference, self._ahead = self._ahead or self._ask(), None
        try:
            found = got(reference, self._timeout_s, "reading the rows")
            if found is None:
                self._keeping.cancel()
                return None
            self._ahead = self._ask()
            if isinstance(found, ray.ObjectRef):
                found = got(found, self._timeout_s, "fetching the rows")
        except ActorGone as error:
            raise Unavailable(f"the rows were cut off: {error}; run the query again") from error
        assert found is None or isinstance(found, pa.RecordBatch)
        return found

    def close(self) -> None:
        self._keeping.cancel()
        self._ahead = None
        if ray.is_initialized():
            self._actor.close_stream.remote(self._key)

    def _ask(self) -> Any:
        return self._actor.next_batch.remote(self._key)


async def _keep(actor: Any, key: str) -> None:
    """Say that a stream is still read, until cancelled."""
    clock = SystemClock()
    while True:
        await clock.sleep_ms(KEEP_MS)
        actor.keep_stream.remote(key)
