"""Deltas as a few large Arrow tables, kept from query to query.

A steady writer leaves thousands of small deltas. Decoding and concatenating them for every query
would cost more than the query, so runs of consecutive deltas are merged like the digits of a
binary counter: each run has more rows than the next, a row is copied log2(n) times in all, and a
table with n deltas is about log2(n) runs. A run is immutable and its key names its content, so
workers may keep it, and what is known of its values is computed once, when it is first asked for.

Rows of a run are deleted while it lives: `_Deleted` follows the delete bitmaps of its deltas from
commit to commit, and looks only at those that are other objects now.

Only the growing newest state is kept; what a transaction has not committed is built for each of
its queries. An older snapshot (AS OF) is decoded for its query alone, or,
where it has the same deltas, only its deleted rows are added up for its query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from actors.fragments import DeltaRun
from storage.delete_bitmap import DeleteBitmap, Positions, encode_positions
from storage.delta import decode_rows
from storage.names import log_name
from storage.snapshot.model import PRIVATE_LSN, Delta, TableState
from storage.snapshot.ranges import ColumnRange, row_ranges

__all__ = ["DeltaStage"]

Pieces = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Deleted:
    """Deleted rows of a run.

    Attributes:
        applied: by delta id, the bitmaps that `positions` has.
        encoded: `positions` as bytes, once asked for.
    """

    applied: dict[int, DeleteBitmap] = field(default_factory=dict)
    positions: Positions = field(default_factory=Positions)
    encoded: bytes | None = None

    def as_bytes(self) -> bytes | None:
        """None if no row is deleted."""
        if self.encoded is None and self.positions:
            self.encoded = encode_positions(self.positions)
        return self.encoded

    def follows(self, current: Mapping[int, DeleteBitmap]) -> bool:
        """Whether these bitmaps delete all that is deleted here.

        Of one delta they grow from commit to commit, but what is here may be of an open
        transaction: that it deleted fewer rows says nothing about which.
        """
        return all(
            (now := current.get(delta)) is not None and old.bitmap.issubset(now.bitmap)
            for delta, old in self.applied.items()
            if current.get(delta) is not old
        )

    def add(self, pieces: Pieces, current: Mapping[int, DeleteBitmap]) -> None:
        """Apply those bitmaps that are not applied yet."""
        changed = []
        for start, delta in pieces:
            bitmap = current.get(delta)
            if bitmap is not None and bitmap is not self.applied.get(delta):
                self.applied[delta] = bitmap
                changed.append(bitmap.bitmap.shift(start) if start else bitmap.bitmap)
        if changed:
            self.positions = Positions.union(self.positions, *changed)
            self.encoded = None

    def before(self, newer: _Deleted, row_count: int) -> _Deleted:
        """Of a run merged of this one's, which has so many rows, and the newer one's."""
        return _Deleted(
            self.applied | newer.applied, self.positions | newer.positions.shift(row_count)
        )


@dataclass(slots=True)
class _Run:
    first_id: int
    last_id: int
    schema_version: int
    table: pa.Table
    pieces: Pieces  # of each delta its first row and its id
    deleted: _Deleted = field(default_factory=_Deleted)
    reference: Any = None  # what `share` made of it, once asked for
    ranges: Mapping[int, ColumnRange] | None = None
    partitions: frozenset[int] = frozenset()  # that have rows in it


def _decode(delta: Delta, table: TableState) -> _Run:
    rows = decode_rows(delta.rows, f"{log_name(delta.lsn)} table {table.name}")
    run = _Run(delta.id, delta.id, delta.schema_version, rows, ((0, delta.id),))
    run.partitions = frozenset(number for number, *_ in delta.slices())
    return run


def _merged(older: _Run, newer: _Run) -> _Run:
    rows = pa.concat_tables([older.table, newer.table]).combine_chunks()
    start = older.table.num_rows
    merged = _Run(
        older.first_id,
        newer.last_id,
        older.schema_version,
        rows,
        (*older.pieces, *((start + first, delta) for first, delta in newer.pieces)),
        older.deleted.before(newer.deleted, start),
    )
    merged.partitions = older.partitions | newer.partitions
    return merged


def _push(runs: list[_Run], run: _Run) -> None:
    runs.append(run)
    while (
        len(runs) > 1
        and runs[-2].schema_version == runs[-1].schema_version
        and runs[-2].table.num_rows <= runs[-1].table.num_rows
    ):
        newer = runs.pop()
        runs[-1] = _merged(runs[-1], newer)


class DeltaStage:
    """Runs of deltas per table.

    Args:
        share: makes a run's table reachable for workers (on Ray: puts it into the object store
            once); called at most once per run.
    """

    def __init__(self, share: Callable[[pa.Table], Any]) -> None:
        self._share = share
        self._tables: dict[int, list[_Run]] = {}

    def runs(
        self,
        table: TableState,
        *,
        located: bool = False,
        partitions: frozenset[int] | None = None,
    ) -> tuple[DeltaRun, ...]:
        """The rows of all deltas of `table`, oldest first.

        Args:
            located: with their `pieces`.
            partitions: without runs that have no row of these; None: all.
        """
        if not table.deltas:
            self._tables.pop(table.id, None)
            return ()
        committed = tuple(delta for delta in table.deltas if delta.lsn < PRIVATE_LSN)
        runs = self._extended(replace(table, deltas=committed)) if committed else []
        # What an open transaction has written itself has ids that others may be given too.
        own = self._build(table.deltas[len(committed) :], table)
        if partitions is not None:
            runs = [run for run in runs if run.partitions & partitions]
            own = [run for run in own if run.partitions & partitions]
        return (
            *(self._describe(table, run, located) for run in runs),
            *(replace(self._describe(table, run, located), key="") for run in own),
        )

    def forget(self, table_ids: set[int]) -> None:
        """Keep only these tables."""
        self._tables = {k: v for k, v in self._tables.items() if k in table_ids}

    def _extended(self, table: TableState) -> list[_Run]:
        known = self._tables.get(table.id)
        if known and table.deltas[-1].id < known[-1].last_id:
            return self._build(table.deltas, table)  # an older snapshot: not kept
        if not known or known[0].first_id != table.deltas[0].id:
            known = self._build(table.deltas, table)
        else:
            for delta in _after(table.deltas, known[-1].last_id):
                _push(known, _decode(delta, table))
        self._tables[table.id] = known
        return known

    def _build(self, deltas: tuple[Delta, ...], table: TableState) -> list[_Run]:
        runs: list[_Run] = []
        for delta in deltas:
            _push(runs, _decode(delta, table))
        return runs

    def _describe(self, table: TableState, run: _Run, located: bool) -> DeltaRun:
        if run.reference is None:
            run.reference = self._share(run.table)
        if run.ranges is None:
            columns = table.schema_version(run.schema_version).columns
            run.ranges = row_ranges(run.table, columns)
        return DeltaRun(
            key=f"{table.id}-{run.first_id}-{run.last_id}",
            schema_version=run.schema_version,
            row_count=run.table.num_rows,
            rows=run.reference,
            ranges=run.ranges,
            deleted=_deleted(table, run),
            pieces=run.pieces if located else (),
        )


def _deleted(table: TableState, run: _Run) -> bytes | None:
    """The deleted positions in a run as of `table`."""
    if not table.bitmaps and not run.deleted.applied:
        return None
    if not run.deleted.follows(table.bitmaps):
        run.deleted = _Deleted()  # an older snapshot, or a transaction that is over
    run.deleted.add(run.pieces, table.bitmaps)
    return run.deleted.as_bytes()


def _after(deltas: tuple[Delta, ...], last_id: int) -> tuple[Delta, ...]:
    """Deltas with a greater id; ids ascend, so look from the end."""
    start = len(deltas)
    while start and deltas[start - 1].id > last_id:
        start -= 1
    return deltas[start:]
