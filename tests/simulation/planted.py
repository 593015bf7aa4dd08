"""Mistakes made on purpose, one at a time: the simulation must notice each of them.

Each is a way in which such a system is really broken by a change that looks harmless. They replace
functions of Mobula while a test runs, and nothing else ever switches them on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np

from actors.primary import checkpoints as checkpoints_module
from actors.primary import maintenance as maintenance_module
from actors.primary import resolve as resolve_module
from actors.primary import sequencer as sequencer_module
from actors.primary import upkeep as upkeep_module
from actors.primary.attempts import Attempts
from actors.primary.primary import Primary
from actors.primary.sequencer import Sequencer
from actors.primary.written import WrittenKeys
from storage import compaction as compaction_module
from storage import compaction_plan as plan_module
from storage import rewrite as rewrite_module
from storage.errors import Conflict, Fenced, ObjectExists, Unavailable
from storage.log import reader as reader_module
from storage.log import takeover as takeover_module
from storage.log import writer as writer_module
from storage.log.reader import LogReader
from storage.log.record import Group, decode, decode_header, encode
from storage.log.writer import LogWriter
from storage.names import log_name, owner_name
from storage.objects import Created, Exists, create_settled
from storage.objects.retry import RetryingStore
from storage.primary_key import LiveRows, TableIndex
from storage.primary_key.index import KeyIndex
from storage.snapshot import apply as apply_module
from storage.snapshot import checkpoint as checkpoint_module
from storage.snapshot.apply import apply
from storage.snapshot.changes import RemoveFiles
from storage.snapshot.model import TableState
from storage.source_map import SourceMap
from tests.simulation import planted_collection, planted_partitions  # register their own
from tests.simulation.mistakes import PLANTED, bug, planted, replaced

__all__ = ["PLANTED", "planted"]

assert planted_collection
assert planted_partitions


# --- taking over ----------------------------------------------------------------------------------


@bug("skip the fence")
def _(stack: ExitStack) -> None:
    async def no_fence(store: Any, reader: Any, snapshot: Any, *, clock: Any, **_: Any) -> Any:
        return LogWriter(store, clock, next_lsn=snapshot.lsn + 1), snapshot

    replaced(stack, takeover_module, "_fence", no_fence)


@bug("ignore a higher epoch while replaying")
def _(stack: ExitStack) -> None:
    async def blind(
        store: Any, reader: Any, snapshot: Any, *, epoch: int, owner: Any, clock: Any, ids: Any
    ) -> Any:
        lowered = dataclasses.replace(snapshot, epoch=min(snapshot.epoch, epoch - 1))
        return await fence(store, reader, lowered, epoch=epoch, owner=owner, clock=clock, ids=ids)

    fence = replaced(stack, takeover_module, "_fence", blind)

    async def follow(self: LogReader, snapshot: Any) -> Any:
        found = await known(self, snapshot)
        return dataclasses.replace(found, epoch=0)

    known = replaced(stack, LogReader, "follow", follow)


@bug("trust a cached listing")
def _(stack: ExitStack) -> None:
    async def cached(
        self: RetryingStore, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> Any:
        known = self.__dict__.setdefault("listings", {})
        if prefix not in known:
            known[prefix] = [i async for i in listed(self, prefix, start_after=start_after)]
        for info in known[prefix]:
            yield info

    listed = replaced(stack, RetryingStore, "list", cached)


# --- the log --------------------------------------------------------------------------------------


@bug("skip the nonce check")
def _(stack: ExitStack) -> None:
    async def careless(store: Any, name: str, data: bytes, **more: Any) -> Any:
        await create_settled(store, name, data, **more)
        return Created()

    replaced(stack, writer_module, "create_settled", careless)


@bug("acknowledge before the PUT")
def _(stack: ExitStack) -> None:
    async def early(self: Sequencer, open_group: Any) -> None:
        self._seal(open_group)
        group = self._encode(open_group)
        written = decode(encode(group), log_name(group.header.lsn))
        self._groups.popleft()
        self._finish(open_group, written)
        while True:
            try:
                await self._writer.append(group)
                return
            except Unavailable:
                continue
            except Fenced as error:
                self.stop(error)
                return

    replaced(stack, Sequencer, "_commit", early)


@bug("re-batch on retry")
def _(stack: ExitStack) -> None:
    """What is retried takes in what has come meanwhile; a group of the same reign counts as it."""

    async def again(self: Sequencer, open_group: Any) -> None:
        while True:
            group = self._encode(open_group)
            data, name = encode(group), log_name(group.header.lsn)
            try:
                await self._writer._store.create(name, data)
            except (ObjectExists, Unavailable):
                try:
                    found = decode_header(await self._writer._store.get(name), name)
                except Exception:
                    continue
                if found.epoch != group.header.epoch:
                    self.stop(Fenced("replaced"))
                    return
            self._writer._next_lsn += 1
            self._seal(open_group)
            self._groups.popleft()
            self._finish(open_group, decode(data, name))
            return

    replaced(stack, Sequencer, "_commit", again)


@bug("a lost reply counts as a failure")
def _(stack: ExitStack) -> None:
    """And the client hears that nothing has happened."""

    def fail(group: Any, error: Exception) -> None:
        if isinstance(error, Unavailable):
            error = Conflict("nothing was written")
        known(group, error)

    known = replaced(stack, sequencer_module, "fail", fail)
    stack.enter_context(patch.object(writer_module, "create_settled", _once))


async def _once(store: Any, name: str, data: bytes, **_: Any) -> Any:
    try:
        await store.create(name, data)
    except ObjectExists:
        found = await store.get(name)
        return Created() if found == data else Exists(data=found)
    return Created()


@bug("after a lost reply, the next slot")
def _(stack: ExitStack) -> None:
    async def onwards(self: LogWriter, group: Group) -> Group:
        lsn = group.header.lsn
        while True:
            header = msgspec.structs.replace(group.header, lsn=lsn, tso=group.header.tso + lsn)
            data = encode(dataclasses.replace(group, header=header))
            try:
                await self._store.create(log_name(lsn), data)
                self._next_lsn = lsn + 1
                return decode(data, log_name(lsn))
            except Unavailable:
                lsn += 1
            except ObjectExists as error:
                raise Fenced("replaced") from error

    replaced(stack, LogWriter, "append", onwards)


@bug("a fenced writer goes on behind the fence")
def _(stack: ExitStack) -> None:
    async def stubborn(self: LogWriter, group: Group) -> Group:
        try:
            return await append(self, group)
        except Fenced:
            lsn = group.header.lsn + 1
            header = msgspec.structs.replace(group.header, lsn=lsn)
            data = encode(dataclasses.replace(group, header=header))
            await self._store.create(log_name(lsn), data)
            raise

    append = replaced(stack, LogWriter, "append", stubborn)


@bug("reuse a TSO")
def _(stack: ExitStack) -> None:
    def stale(now_ms: int, last_tso: int) -> int:
        return max(now_ms << 18, last_tso)

    replaced(stack, sequencer_module, "next_tso", stale)
    replaced(stack, takeover_module, "next_tso", stale)


@bug("TSO from the clock alone")
def _(stack: ExitStack) -> None:
    def clock(now_ms: int, last_tso: int) -> int:
        return (now_ms << 18) + (last_tso & 0x3FFFF) + 1

    replaced(stack, sequencer_module, "next_tso", clock)
    replaced(stack, takeover_module, "next_tso", clock)


@bug("a replaced primary refuses")
def _(stack: ExitStack) -> None:
    async def sure(self: Sequencer) -> None:
        return None

    replaced(stack, Sequencer, "confirm", sure)


@bug("calls with one token at once")
def _(stack: ExitStack) -> None:
    """One that the simulation has found."""

    @asynccontextmanager
    async def at_once(self: Attempts, token: Any) -> Any:
        yield

    replaced(stack, Attempts, "turn", at_once)


# --- snapshots ------------------------------------------------------------------------------------


@bug("replay one too far")
def _(stack: ExitStack) -> None:
    async def further(self: LogReader, at_lsn: int | None = None) -> Any:
        found = await opened(self, at_lsn)
        if at_lsn is None:
            return found
        newer = await self._groups([found.lsn + 1])
        return apply(found, newer[0]) if newer else found

    opened = replaced(stack, LogReader, "open", further)


@bug("replay stops one short")
def _(stack: ExitStack) -> None:
    async def short(self: LogReader, snapshot: Any, tail: list[int]) -> Any:
        return await replayed(self, snapshot, tail[:-1] if len(tail) > 3 else tail)

    replayed = replaced(stack, LogReader, "_replay", short)

    async def never(*_: Any, **__: Any) -> int:
        return 0

    replaced(stack, takeover_module, "_check_alone", never)


@bug("forget a bitmap")
def _(stack: ExitStack) -> None:
    def forgetful(self: TableState, bitmaps: Any, source: str) -> TableState:
        return deleting(self, list(bitmaps)[:1], source)

    deleting = replaced(stack, TableState, "deleting", forgetful)


@bug("lose the token table")
def _(stack: ExitStack) -> None:
    async def without(store: Any, name: str) -> Any:
        return dataclasses.replace(await read(store, name), tokens={})

    read = replaced(stack, reader_module, "read_checkpoint", without)


@bug("a checkpoint without deltas")
def _(stack: ExitStack) -> None:
    async def lossy(store: Any, name: str, table: TableState, lsn: int) -> Any:
        kept = dataclasses.replace(
            table,
            deltas=table.deltas[:-1],
            bitmaps={k: v for k, v in table.bitmaps.items() if k != _last(table)},
        )
        return await write(store, name, kept, lsn)

    write = replaced(stack, checkpoint_module, "_write_part", lossy)


def _last(table: TableState) -> int:
    return table.deltas[-1].id if table.deltas else 0


@bug("a part of a table that has changed is used again")
def _(stack: ExitStack) -> None:
    async def stale(store: Any, snapshot: Any, ids: Any, known: Any) -> Any:
        there = {i: (snapshot.tables[i], p) for i, (_, p) in known.items() if i in snapshot.tables}
        return await write(store, snapshot, ids, there)

    write = replaced(stack, checkpoints_module, "write_checkpoint", stale)


@bug("old epochs are cleaned up")
def _(stack: ExitStack) -> None:
    async def tidy(self: Primary) -> Any:
        made = await checkpoint(self)
        if self._reign.epoch > 1:
            await self._store.delete(owner_name(self._reign.epoch - 1))
        return made

    checkpoint = replaced(stack, Primary, "checkpoint", tidy)


@bug("receipts are kept for one sequence number")
def _(stack: ExitStack) -> None:
    replaced(stack, apply_module, "TOKENS_PER_WRITER", 1)

    def lenient(self: Sequencer, token: Any) -> Any:
        receipts: Mapping[int, Any] = self._durable.tokens.get(token.writer, {})
        return receipts.get(token.sequence)

    replaced(stack, Sequencer, "_known", lenient)


# --- tables with keys -----------------------------------------------------------------------------


@bug("lost updates are not looked for")
def _(stack: ExitStack) -> None:
    def fine(self: WrittenKeys, operation: Any, snapshot: Any) -> None:
        return None

    replaced(stack, WrittenKeys, "refuse_late", fine)


@bug("a flush forgets what was deleted meanwhile")
def _(stack: ExitStack) -> None:
    replaced(stack, maintenance_module, "_carried_over", lambda flushed, table, first: ())


@bug("a merge of runs by the durable bitmaps")
def _(stack: ExitStack) -> None:
    """One that the simulation has found."""

    def durable(self: Any, table_id: int) -> Any:
        table = self._sequencer.snapshot.tables[table_id]
        return LiveRows(self._sequencer.state.indexes[table_id].live, table.bitmaps)

    chosen: ContextVar[LiveRows] = ContextVar("rows")

    async def merge(self: Any, table_id: int, key_id: int) -> bool:
        chosen.set(durable(self, table_id))
        return await known(self, table_id, key_id)

    known = replaced(stack, upkeep_module.Upkeep, "merge", merge)
    replaced(stack, upkeep_module, "LiveRows", lambda *_: chosen.get())


@bug("a flush leaves the index as it was")
def _(stack: ExitStack) -> None:
    def same(self: TableIndex, runs: Any, **more: Any) -> TableIndex:
        if more.get("removed"):
            runs = {}
        return exchanged(self, runs, **more)

    exchanged = replaced(stack, TableIndex, "exchanged", same)


@bug("a rewritten file has what was deleted")
def _(stack: ExitStack) -> None:
    def all_of_them(bitmap: Any, row_count: int) -> Any:
        return np.ones(row_count, dtype=np.bool_)

    replaced(stack, rewrite_module, "_kept", all_of_them)


@bug("files that were written anew stay")
def _(stack: ExitStack) -> None:
    def without(*arguments: Any) -> Any:
        found = exchange(*arguments)
        changes = {
            table_id: tuple(c for c in changes if not isinstance(c, RemoveFiles))
            for table_id, changes in found.tables.items()
        }
        return dataclasses.replace(found, tables=changes)

    exchange = replaced(stack, resolve_module, "exchange_rows", without)


@bug("a range of a merge is lost")
def _(stack: ExitStack) -> None:
    def one_less(self: Any, number: int) -> Any:
        rows = found(self, number)
        return [] if number == 1 else rows

    found = replaced(stack, compaction_module._Work, "_range", one_less)


@bug("a merge forgets the files of level 1 below it")
def _(stack: ExitStack) -> None:
    def alone(policy: Any, files: Any, found: Any) -> Any:
        return files.task(found, 1)

    replaced(stack, plan_module, "_into_level_1", alone)


@bug("runs of all files of a task lead to its first file")
def _(stack: ExitStack) -> None:
    def first(opened: Any, generation: int, first_file_id: int) -> Any:
        run, file = opened
        one = msgspec.structs.replace(run, first_file_id=0)
        return placed((one, dataclasses.replace(file, first_file_id=0)), generation, first_file_id)

    placed = replaced(stack, maintenance_module, "placed", first)


@bug("where rows went is looked up by where they are now")
def _(stack: ExitStack) -> None:
    def backwards(self: SourceMap, found: Any) -> Any:
        places = np.minimum(np.searchsorted(self.targets, found), len(self.targets) - 1)
        return self.targets[places]

    replaced(stack, SourceMap, "moved", backwards)


@bug("runs go while their files are there")
def _(stack: ExitStack) -> None:
    def some(self: KeyIndex, live: Any) -> tuple[str, ...]:
        return tuple(placed.run.name for placed in self.runs[1:])

    replaced(stack, KeyIndex, "dead_runs", some)


@bug("a large write is not told of later keys")
def _(stack: ExitStack) -> None:
    replaced(stack, Sequencer, "informed", lambda self, operation: operation)
