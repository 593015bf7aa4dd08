"""The log from its first object to its last, as every reader replays it, and the checkpoints on the
way.

1. Each object is decoded: checksums of header and sections, LSN, database and branch.
2. It continues the one before: checksum of the chain, TSO, epoch. This needs headers alone, so it
   goes on behind an object whose body is damaged.
3. It is applied to the snapshot, by the very function that readers use.
4. Where a checkpoint was written, it is read and must equal that snapshot.

Groups that are packed are read from their pack. The log may begin behind the first of its groups,
with a checkpoint that the horizon is not before: what is older was collected.

An object that is missing or damaged ends the snapshot, not the check: the next whole checkpoint
behind it is a snapshot again. What comes out is the newest one that there is, with what the tables'
check needs besides: who wrote each epoch, and which names of objects the log knows.

In memory are a snapshot, a pack or a few log objects, and 8 bytes for each file that ever was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from storage.container import open_header
from storage.errors import CorruptData
from storage.format import MAIN_BRANCH
from storage.log.packs import Packs, list_packs
from storage.log.record import MAGIC, Group, GroupHeader, decode
from storage.names import log_name
from storage.scrub.checkpoints import Checkpoints, Link, false_counts
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.scrub.source import AT_ONCE, NOT_THERE, Source, attempted, surplus
from storage.scrub.survey import CheckpointNames, Names, Survey
from storage.snapshot import changes as c
from storage.snapshot.apply import apply
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot
from storage.windows import windows

__all__ = ["Replay", "Replayed"]

RESTORE = (
    "restore the object from a copy of the bucket (its versions, a replica): nothing else has what "
    "was committed there"
)


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What the log gave.

    Attributes:
        snapshot: the newest one that there is.
        newest_lsn: of the newest log object or checkpoint.
        writers: who wrote the groups of each epoch.
        referenced: every object of data and indexes that the log, or a checkpoint, names.
    """

    snapshot: Snapshot
    newest_lsn: int = 0
    writers: dict[int, str] = field(default_factory=dict)
    referenced: Names = field(default_factory=Names)


class Replay:
    """Goes through one branch's log, once."""

    def __init__(self, source: Source, teller: Teller, database_id: str) -> None:
        self._source = source
        self._teller = teller
        self._ids = (database_id, MAIN_BRANCH)
        self._checkpoints = Checkpoints(source, teller, database_id, MAIN_BRANCH)
        self._link: Link | None = Link()  # of the last group; None: not known
        empty = Snapshot(database_id=database_id, branch_id=MAIN_BRANCH)
        self._snapshot: Snapshot | None = empty  # at `_next` - 1; None: not known
        self._next = 1
        self._found = Replayed(snapshot=empty)
        self._packs = Packs(source.store, ())
        self._gaps: list[tuple[int, int]] = []  # first and last LSN of what is not there
        self._whole: list[int] = []  # LSNs of checkpoints that are

    async def run(self, found: Survey) -> Replayed:
        """Check log and checkpoints. Raises what the store raises."""
        waiting = list(reversed(found.checkpoints))
        self._packs = Packs(self._source.store, found.packs)
        packed = (np.arange(p.first_lsn, p.last_lsn + 1, dtype=np.uint64) for p in found.packs)
        there = np.unique(np.concatenate([np.array(found.lsns, np.uint64), *packed]))
        for lsns in windows(map(int, there), AT_ONCE):
            for lsn, one in zip(lsns, await self._objects(lsns), strict=True):
                await self._up_to(lsn - 1, waiting)
                self._group(lsn, one)
                await self._checkpoints_at(lsn, waiting)
        if waiting:
            await self._up_to(waiting[0].lsn, waiting)
        self._found.newest_lsn = self._next - 1
        self._tell_of_gaps()
        self._checkpoints.tell_of_incomplete()
        return self._found

    async def _objects(self, lsns: Sequence[int]) -> list[bytes | None]:
        """Log objects, from packs where they are packed, or have been meanwhile."""
        apart = [lsn for lsn in lsns if not self._packs.covers(lsn)]
        found = dict(zip(apart, await self._source.get_all(map(log_name, apart)), strict=True))
        if None in found.values():
            self._packs = Packs(self._source.store, await list_packs(self._source.store))
        return [
            found.get(lsn) or (await self._packed(lsn) if self._packs.covers(lsn) else None)
            for lsn in lsns
        ]

    async def _packed(self, lsn: int) -> bytes | None:
        try:
            return await self._packs.get(lsn)
        except CorruptData as error:
            name = self._packs.name_of(lsn)
            self._damage(lsn, "a pack whose groups can be read", error.message, name)
            return None

    def _tell_of_gaps(self) -> None:
        """Of all that no collector has made: behind the newest checkpoint within the horizon."""
        horizon = self._found.snapshot.horizon
        base = max((lsn for lsn in self._whole if lsn <= horizon), default=0)
        for first, last in self._gaps:
            if last > base:
                self._damage(max(first, base + 1), "an object for every LSN", _missing(first, last))

    async def _up_to(self, last: int, waiting: list[CheckpointNames]) -> None:
        """Nothing is listed from the next LSN up to `last`, but maybe checkpoints."""
        first = self._next
        if last < first:
            return
        self._gaps.append((first, last))
        self._snapshot = self._link = None
        while waiting and waiting[-1].lsn <= last:
            self._next = waiting[-1].lsn + 1
            self._snapshot = self._link = None
            await self._checkpoints_at(waiting[-1].lsn, waiting)
        if self._next <= last:
            self._snapshot = self._link = None
        self._next = last + 1

    async def _checkpoints_at(self, lsn: int, waiting: list[CheckpointNames]) -> None:
        while waiting and waiting[-1].lsn == lsn:
            names = waiting.pop()
            found = await self._checkpoints.check(names, self._link, self._snapshot)
            if found is not None:
                self._whole.append(lsn)
            if found is not None and self._snapshot is None:
                self._resume(found)

    def _resume(self, found: Snapshot) -> None:
        """The log before could not be followed; this checkpoint says where it led."""
        for table in found.tables.values():
            self._found.referenced.add(table.files.names)
            self._found.referenced.add(run.name for run in table.index_runs)
        for grave in found.graveyard:
            self._found.referenced.add(one.name for one in grave.objects)
        self._found.referenced.add(found.planned)
        self._snapshot = self._found.snapshot = found
        self._link = Link(lsn=found.lsn, checksum=found.checksum, tso=found.tso, epoch=found.epoch)

    # --- a group ----------------------------------------------------------------------------------

    def _group(self, lsn: int, data: bytes | None) -> None:
        self._next = lsn + 1
        name = log_name(lsn)
        header = NOT_THERE if data is None else attempted(name, lambda: _opened(data, name))
        fault = header if isinstance(header, str) else self._misplaced(lsn, header[0])
        if data is None or isinstance(header, str) or fault is not None:
            self._damage(lsn, f"group {lsn} of database {self._ids[0]}", str(fault))
            self._snapshot = self._link = None
            return
        linked = self._continues(lsn, *header)
        group = attempted(name, lambda: _decoded(data, name))
        if isinstance(group, str):
            self._damage(lsn, "a group whose sections are whole", group)
            self._snapshot = None
            return
        fault = attempted(name, lambda: self._note(group))
        if fault is not None:
            self._damage(lsn, "records that can be read", fault)
        if fault is not None or not linked:
            self._snapshot = None
        self._apply(lsn, group)

    def _misplaced(self, lsn: int, header: GroupHeader) -> str | None:
        found = (header.lsn, header.database_id, header.branch_id)
        if found == (lsn, *self._ids):
            return None
        return "group {} of database {}, branch {}".format(*found)

    def _continues(self, lsn: int, header: GroupHeader, checksum: str) -> bool:
        """Whether a group continues the one before, as far as that is known."""
        before, faults = self._link, list[tuple[str, object, object]]()
        if before is not None:
            if header.previous != before.checksum:
                faults.append(("checksum of the group before", before.checksum, header.previous))
            if header.tso <= before.tso:
                faults.append(("a TSO above", before.tso, header.tso))
            if header.epoch < before.epoch:
                faults.append(("an epoch not below", before.epoch, header.epoch))
        for what, expected, found in faults:
            self._damage(lsn, f"{what} {expected}, as {log_name(lsn - 1)} has", f"{found}")
        own = Link(lsn=lsn, checksum=checksum, tso=header.tso, epoch=header.epoch)
        self._link = None if faults else own
        if not faults:
            self._found.writers.setdefault(header.epoch, header.writer_id)
        return not faults

    def _apply(self, lsn: int, group: Group) -> None:
        before = self._snapshot
        if before is None:
            return
        applied = attempted(log_name(lsn), lambda: apply(before, group))
        if isinstance(applied, str):
            self._damage(lsn, "changes that fit the version before", applied)
            self._snapshot = None
            return
        self._snapshot = self._found.snapshot = applied

    def _note(self, group: Group) -> None:
        """What the tables' check wants to know of a group; bitmaps that miscount."""
        for changes in group.tables.values():
            for change in changes:
                match change:
                    case c.AddFiles():
                        names = FileSet.decode(change.files, log_name(group.header.lsn)).names
                        self._found.referenced.add(names)
                    case c.AddIndexRuns():
                        self._found.referenced.add(run.name for run in change.runs)
                    case c.AddBitmaps():
                        for fault in false_counts(change.bitmaps, log_name(group.header.lsn)):
                            self._damage(group.header.lsn, *fault)

    def _damage(self, lsn: int, expected: str, found: str, name: str | None = None) -> None:
        self._teller.tell(
            Finding(
                severity=Severity.damage,
                part=Part.log,
                object=name or log_name(lsn),
                expected=expected,
                found=found,
                next_step=RESTORE,
            )
        )


def _missing(first: int, last: int) -> str:
    if first == last:
        return NOT_THERE
    return f"{NOT_THERE}, nor are the objects up to {log_name(last)}"


def _opened(data: bytes, name: str) -> tuple[GroupHeader, str]:
    return open_header(data, MAGIC, GroupHeader, name)


def _decoded(data: bytes, name: str) -> Group:
    """A group, and nothing behind it."""
    group = decode(data, name)
    if extra := surplus(data, MAGIC, group.header.sections, name):
        raise CorruptData(f"{name}: {extra} bytes behind the last section")
    return group
