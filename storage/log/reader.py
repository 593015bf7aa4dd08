"""Read the log: open a snapshot cold, follow it, travel to an earlier LSN or time.

Opening: list the checkpoints (newest first), list the log; read the checkpoint's root and parts and
the tail of the log, each in parallel; replay. 2 LIST, 1 GET per checkpoint object, 1 per tail
object. A bad checkpoint is passed over for the one before it.

Following: get the next LSN; absent means current. While slots are found the number asked for at
once doubles, up to a bound, so a reader far behind catches up in parallel. Every group is verified
against the chain by `apply`; hints from elsewhere only say when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from storage.container import PREAMBLE_BYTES, header_length
from storage.errors import CorruptData, InvalidRequest, ObjectMissing
from storage.log.record import MAGIC, Group, GroupHeader, decode, decode_header
from storage.names import LOG_PREFIX, is_log_name, log_lsn, log_name
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
        """The newest snapshot, or the one at `at_lsn`.

        Raises:
            InvalidRequest: `at_lsn` is not in the log.
            CorruptData: naming the object.
        """
        if at_lsn is not None and at_lsn < 0:
            raise InvalidRequest(f"LSN {at_lsn} is not in the log; LSNs start at 1")
        snapshot = await self._from_checkpoint(at_lsn)
        tail = [
            log_lsn(entry.name)
            async for entry in self._store.list(LOG_PREFIX, start_after=log_name(snapshot.lsn))
            if is_log_name(entry.name)
        ]
        newest = tail[-1] if tail else snapshot.lsn
        if at_lsn is not None:
            if at_lsn > newest:
                raise InvalidRequest(f"LSN {at_lsn} is not in the log yet; the newest is {newest}")
            tail = [lsn for lsn in tail if lsn <= at_lsn]
        return await self._replay(snapshot, tail)

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

    async def lsn_at(self, unix_ms: int, newest: Snapshot) -> int:
        """The LSN of the greatest TSO not above a wall time, 0 if none. log2(LSN) ranged GETs."""
        if tso_ms(newest.tso) <= unix_ms:
            return newest.lsn
        low, high = 0, newest.lsn - 1  # the answer is in [low, high]
        while low < high:
            middle = (low + high + 1) // 2
            header = await self.header(middle)
            if tso_ms(header.tso) <= unix_ms:
                low = middle
            else:
                high = middle - 1
        return low

    async def header(self, lsn: int) -> GroupHeader:
        """A group's header, without its body. Raises ObjectMissing, CorruptData."""
        name = log_name(lsn)
        data = await self._store.get_range(name, 0, HEADER_GUESS_BYTES)
        length = PREAMBLE_BYTES + header_length(data, MAGIC, name)
        if length > len(data):
            data = await self._store.get_range(name, 0, length)
        return decode_header(data[:length], name)

    async def headers(self, first_lsn: int, last_lsn: int) -> AsyncIterator[GroupHeader]:
        """Headers of [first_lsn, last_lsn], in order, fetched a window at a time."""
        for start in range(first_lsn, last_lsn + 1, WINDOW_MAX):
            window = range(start, min(start + WINDOW_MAX, last_lsn + 1))
            for header in await asyncio.gather(*(self.header(lsn) for lsn in window)):
                yield header

    async def _from_checkpoint(self, at_lsn: int | None) -> Snapshot:
        """The newest readable checkpoint's snapshot, or the empty one where the log starts at 1."""
        roots = await newest_roots(self._store, at_most_lsn=at_lsn)
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
            return True
        return False

    async def _replay(self, snapshot: Snapshot, tail: list[int]) -> Snapshot:
        """Apply the listed groups; their GETs run in parallel, a window at a time."""
        for start in range(0, len(tail), WINDOW_MAX):
            window = tail[start : start + WINDOW_MAX]
            for expected, lsn in enumerate(window, snapshot.lsn + 1):
                if lsn != expected:
                    raise CorruptData(f"{log_name(expected)}: missing, but {log_name(lsn)} exists")
            groups = await self._groups(window)
            if len(groups) < len(window):
                raise CorruptData(f"{log_name(window[len(groups)])}: listed, but not readable")
            for group in groups:
                snapshot = apply(snapshot, group)
        return snapshot

    async def _groups(self, lsns: range | list[int]) -> list[Group]:
        """The groups of consecutive LSNs up to the first absent one."""
        fetched = await asyncio.gather(*(self._get(lsn) for lsn in lsns))
        groups = []
        for lsn, data in zip(lsns, fetched, strict=True):
            if data is None:
                break
            groups.append(decode(data, log_name(lsn)))
        return groups

    async def _get(self, lsn: int) -> bytes | None:
        try:
            return await self._store.get(log_name(lsn))
        except ObjectMissing:
            return None
