"""Read the log: open a snapshot cold, follow it, travel to an earlier LSN or time.

Opening: list the checkpoints (newest first), list the log; read the checkpoint's root and parts and
the tail of the log, each in parallel; replay. 2 LIST, 1 GET per checkpoint object, 1 per tail
object. A bad checkpoint is passed over for the one before it. For an earlier version, packs of old
groups are listed too, and read in place of log objects. What is collected meanwhile makes a reader
begin again.

Following: get the next LSN; absent means current. While slots are found the number asked for at
once doubles, up to a bound, so a reader far behind catches up in parallel. Every group is verified
against the chain by `apply`; hints from elsewhere only say when to look. Who has been away for long
asks `is_newest` besides: the next group may have been collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from storage.container import PREAMBLE_BYTES, header_length
from storage.errors import CorruptData, InvalidRequest, ObjectMissing
from storage.log.packs import Pack, Packs, list_packs
from storage.log.record import MAGIC, Group, GroupHeader, decode, decode_header
from storage.names import LOG_PREFIX, checkpoint_lsn, is_log_name, log_lsn, log_name
from storage.objects import ObjectStore
from storage.snapshot.apply import apply, tso_ms
from storage.snapshot.checkpoint import newest_roots, read_checkpoint
from storage.snapshot.model import Snapshot

__all__ = ["LogReader"]

WINDOW_MAX = 32  # log objects asked for at once
HEADER_GUESS_BYTES = 4096  # what a header usually fits into


class LogReader:
    """Reads one branch's log. Holds no state but the store; snapshots are values of the caller."""

    def __init__(self, store: ObjectStore, database_id: str, branch_id: str) -> None:
        self._store = store
        self._empty = Snapshot(database_id=database_id, branch_id=branch_id)

    async def open(self, at_lsn: int | None = None) -> Snapshot:
        """The newest snapshot, or the one at `at_lsn`, which the caller knows to be within the
        horizon: below it, it may lead to files that are gone.

        Raises:
            InvalidRequest: `at_lsn` is not in the log.
            CorruptData: naming the object.
        """
        if at_lsn is not None and at_lsn < 0:
            raise InvalidRequest(f"LSN {at_lsn} is not in the log; LSNs start at 1")
        roots = await newest_roots(self._store, at_most_lsn=at_lsn)
        known: tuple[list[str], list[Pack]] | None = None
        while True:
            try:
                return await self._open(roots, at_lsn, again=known is not None)
            except CorruptData:  # maybe because something was collected while we were reading
                roots = await newest_roots(self._store, at_most_lsn=at_lsn)
                before, known = known, (roots, await list_packs(self._store))
                if known == before:
                    raise

    async def _open(self, roots: list[str], at_lsn: int | None, *, again: bool) -> Snapshot:
        """Args: again: something was not right; a late fence may stand where a pack has a group."""
        snapshot = await self._from_checkpoint(roots)
        tail = [
            log_lsn(entry.name)
            async for entry in self._store.list(LOG_PREFIX, start_after=log_name(snapshot.lsn))
            if is_log_name(entry.name)
        ]
        packs: list[Pack] = []
        if again or at_lsn is not None or _has_gap(snapshot.lsn, tail):
            packs = await list_packs(self._store, snapshot.lsn + 1)
            tail = sorted({*tail, *(n for p in packs for n in range(p.first_lsn, p.last_lsn + 1))})
            tail = [lsn for lsn in tail if lsn > snapshot.lsn]
        newest = tail[-1] if tail else snapshot.lsn
        if at_lsn is not None:
            if at_lsn > newest:
                raise InvalidRequest(f"LSN {at_lsn} is not in the log yet; the newest is {newest}")
            tail = [lsn for lsn in tail if lsn <= at_lsn]
            if at_lsn != snapshot.lsn and at_lsn not in tail:
                raise ObjectMissing(f"{log_name(at_lsn)}: missing, but {log_name(newest)} exists")
        return await self._replay(snapshot, tail, Packs(self._store, packs))

    async def follow(self, snapshot: Snapshot) -> Snapshot:
        """`snapshot` and whatever has been committed since. 1 GET when nothing has."""
        window = 1
        while True:
            wanted = range(snapshot.lsn + 1, snapshot.lsn + 1 + window)
            found = await self._groups(wanted)
            for group in found:
                snapshot = apply(snapshot, group)
            if len(found) < window:
                return snapshot
            window = min(window * 2, WINDOW_MAX)

    async def is_newest(self, snapshot: Snapshot) -> bool:
        """Whether no checkpoint is newer. Groups are collected behind newer checkpoints only: so
        an absent next group means that there is none. 1 LIST."""
        roots = await newest_roots(self._store)
        return not roots or checkpoint_lsn(roots[0]) <= snapshot.lsn

    async def lsn_at(self, unix_ms: int, newest: Snapshot) -> int:
        """The LSN of the greatest TSO not above a wall time, 0 if none: LSN 0 is no version.
        1 LIST, log2(LSN) ranged GETs.

        Raises InvalidRequest: it is below the horizon.
        """
        if tso_ms(newest.tso) <= unix_ms:
            return newest.lsn
        packs = await self._packs(max(newest.horizon, 1))
        low, high = newest.horizon, newest.lsn - 1  # the answer is in [low, high], or below
        if low and tso_ms((await self._header(low, packs)).tso) > unix_ms:
            raise InvalidRequest(
                f"versions of that time are past the retention; the oldest is LSN {low}"
            )
        while low < high:
            middle = (low + high + 1) // 2
            header = await self._header(middle, packs)
            if tso_ms(header.tso) <= unix_ms:
                low = middle
            else:
                high = middle - 1
        return low

    async def _packs(self, first_lsn: int) -> Packs:
        return Packs(self._store, await list_packs(self._store, first_lsn))

    async def _header(self, lsn: int, packs: Packs) -> GroupHeader:
        if not packs.covers(lsn):
            try:
                return await self.header(lsn)
            except ObjectMissing:  # maybe because it was packed meanwhile
                packs.packs = await list_packs(self._store)
                if not packs.covers(lsn):
                    raise
        return await packs.header(lsn)

    async def header(self, lsn: int) -> GroupHeader:
        """The header of a group that is not packed, without its body. Raises ObjectMissing,
        CorruptData."""
        name = log_name(lsn)
        data = await self._store.get_range(name, 0, HEADER_GUESS_BYTES)
        length = PREAMBLE_BYTES + header_length(data, MAGIC, name)
        if length > len(data):
            data = await self._store.get_range(name, 0, length)
        return decode_header(data[:length], name)

    async def headers(self, first_lsn: int, last_lsn: int) -> AsyncIterator[GroupHeader]:
        """Headers of [first_lsn, last_lsn], in order, fetched a window at a time."""
        packs = await self._packs(first_lsn)
        for start in range(first_lsn, last_lsn + 1, WINDOW_MAX):
            window = range(start, min(start + WINDOW_MAX, last_lsn + 1))
            for header in await asyncio.gather(*(self._header(lsn, packs) for lsn in window)):
                yield header

    async def _from_checkpoint(self, roots: list[str]) -> Snapshot:
        """The newest readable checkpoint's snapshot, or the empty one where the log starts at 1."""
        failure: CorruptData | None = None
        for name in roots:
            try:
                return await self._checked(name)
            except CorruptData as error:
                failure = error
        if failure is not None and await self._log_is_gone():
            raise failure
        return self._empty

    async def _checked(self, name: str) -> Snapshot:
        snapshot = await read_checkpoint(self._store, name)
        mine = (self._empty.database_id, self._empty.branch_id)
        if (snapshot.database_id, snapshot.branch_id) != mine:
            raise CorruptData(f"{name}: belongs to database {snapshot.database_id}, not {mine[0]}")
        return snapshot

    async def _log_is_gone(self) -> bool:
        """True when the log no longer starts at 1, so that it cannot stand in for checkpoints."""
        try:
            await self._store.get_range(log_name(1), 0, PREAMBLE_BYTES)
        except ObjectMissing:
            return not any(pack.first_lsn == 1 for pack in await list_packs(self._store))
        return False

    async def _replay(
        self, snapshot: Snapshot, tail: list[int], packs: Packs | None = None
    ) -> Snapshot:
        """Apply the listed groups; their GETs run in parallel, a window at a time."""
        for start in range(0, len(tail), WINDOW_MAX):
            window = tail[start : start + WINDOW_MAX]
            for expected, lsn in enumerate(window, snapshot.lsn + 1):
                if lsn != expected:
                    raise ObjectMissing(
                        f"{log_name(expected)}: missing, but {log_name(lsn)} exists"
                    )
            groups = await self._groups(window, packs)
            if len(groups) < len(window):
                raise ObjectMissing(f"{log_name(window[len(groups)])}: listed, but not readable")
            for group in groups:
                snapshot = apply(snapshot, group)
        return snapshot

    async def _groups(self, lsns: range | list[int], packs: Packs | None = None) -> list[Group]:
        """The groups of consecutive LSNs up to the first absent one."""
        fetched = await asyncio.gather(*(self._get(lsn, packs) for lsn in lsns))
        groups = []
        for lsn, data in zip(lsns, fetched, strict=True):
            if data is None:
                break
            groups.append(decode(data, log_name(lsn)))
        return groups

    async def _get(self, lsn: int, packs: Packs | None) -> bytes | None:
        if packs is not None and packs.covers(lsn):
            return await packs.get(lsn)
        try:
            return await self._store.get(log_name(lsn))
        except ObjectMissing:
            return None


def _has_gap(lsn: int, tail: list[int]) -> bool:
    """Whether groups behind `lsn` are missing among those that are listed."""
    return any(found != expected for expected, found in enumerate(tail, lsn + 1))
