"""Mistakes of collection made on purpose; see `planted.py`."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import Any

from actors.primary import collector as collector_module
from actors.primary.collector import Collector
from storage.collection import boundaries as boundaries_module
from storage.collection import old_log as old_log_module
from storage.collection.doomed import due_graves
from storage.log import reader as reader_module
from storage.log.packs import Packs
from storage.log.reader import LogReader
from storage.snapshot import apply as apply_module
from storage.snapshot import checkpoint as checkpoint_module
from storage.snapshot.checkpoint import newest_roots
from tests.simulation.mistakes import bug, replaced

__all__: list[str] = []


@bug("pins are not looked at")
def _(stack: ExitStack) -> None:
    def blind(self: Collector, horizon: int, pins: Any) -> int:
        return until(self, horizon, [])

    until = replaced(stack, Collector, "_unread_until", blind)


@bug("an open transaction holds no version")
def _(stack: ExitStack) -> None:
    replaced(stack, Collector, "_oldest_read", lambda self: self._sequencer.snapshot.lsn)


@bug("objects go one version too early")
def _(stack: ExitStack) -> None:
    def greedy(snapshot: Any, *, until: int, runs_until: int) -> Any:
        return due_graves(snapshot, until=until + 1, runs_until=runs_until)

    replaced(stack, collector_module, "due_graves", greedy)


@bug("uploads are deleted that may still be committed")
def _(stack: ExitStack) -> None:
    async def unlogged(self: Collector, operation: Any) -> None:
        if operation.upload_floor is None:
            await log(self, operation)

    log = replaced(stack, Collector, "_log", unlogged)


@bug("what is planned may be committed")
def _(stack: ExitStack) -> None:
    def fine(names: Any, snapshot: Any) -> None:
        return None

    for module in ("rows", "bulk", "maintenance"):
        imported = __import__(f"actors.primary.{module}", fromlist=["refuse_collected"])
        replaced(stack, imported, "refuse_collected", fine)


@bug("a fence is deleted")
def _(stack: ExitStack) -> None:
    replaced(stack, old_log_module, "is_fence", lambda header: False)


@bug("the log is deleted below one checkpoint")
def _(stack: ExitStack) -> None:
    def bold(*arguments: Any, **more: Any) -> Any:
        found = bounds(*arguments, **more)
        newest = max((root.lsn for root in found.kept), default=0)
        return dataclasses.replace(found, log_until=newest)

    bounds = replaced(stack, collector_module, "boundaries", bold)
    assert bounds is boundaries_module.boundaries


@bug("log objects are deleted that no pack has")
def _(stack: ExitStack) -> None:
    async def none(self: Any, bounds: Any, known: Any) -> Any:
        return _Everything(self.store, known)

    replaced(stack, old_log_module.OldLog, "_packed", none)


class _Everything(Packs):
    """Packs that say they have all groups."""

    def covers(self, lsn: int) -> bool:
        return True

    async def get(self, lsn: int) -> bytes:
        return await self.store.get(f"log/{lsn:020d}")


@bug("an absent group is believed to be none")
def _(stack: ExitStack) -> None:
    async def sure(self: LogReader, snapshot: Any) -> bool:
        return True

    replaced(stack, LogReader, "is_newest", sure)


@bug("a reader gives up when the log is collected")
def _(stack: ExitStack) -> None:
    async def once(self: LogReader, at_lsn: int | None = None) -> Any:
        return await self._open(await newest_roots(self._store, at_most_lsn=at_lsn), at_lsn)

    replaced(stack, LogReader, "open", once)


@bug("an earlier version in place of one that is gone")
def _(stack: ExitStack) -> None:
    """One that the simulation has found."""

    async def short(self: LogReader, snapshot: Any, tail: Any, packs: Any = None) -> Any:
        there = [lsn for place, lsn in enumerate(tail) if lsn == snapshot.lsn + 1 + place]
        return await replay(self, snapshot, there, packs)

    replay = replaced(stack, LogReader, "_replay", short)


@bug("a checkpoint without the graveyard")
def _(stack: ExitStack) -> None:
    async def without(store: Any, name: str) -> Any:
        return dataclasses.replace(await read(store, name), graveyard=())

    read = replaced(stack, reader_module, "read_checkpoint", without)


@bug("a dropped table's files are not buried")
def _(stack: ExitStack) -> None:
    def some(change: Any, state: Any, lsn: int) -> Any:
        return () if hasattr(change, "table_id") else graves(change, state, lsn)

    graves = replaced(stack, apply_module, "graves_of", some)


@bug("parts go with the checkpoint that they were written for")
def _(stack: ExitStack) -> None:
    def own(listed: Any, bounds: Any) -> Any:
        alone = [
            dataclasses.replace(
                root,
                parts=frozenset(p for p in root.parts if p.startswith(root.name[:-4])),
            )
            for root in listed.roots
        ]
        return needless(dataclasses.replace(listed, roots=tuple(alone)), bounds)

    needless = replaced(stack, collector_module, "_needless", own)
    replaced(stack, collector_module.Checkpoints, "parts_to_reuse", lambda self: frozenset())
    assert checkpoint_module.ROOT == "root"
