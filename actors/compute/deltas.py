"""Deltas as a few large Arrow tables, kept from query to query.

A steady writer leaves thousands of small deltas. Decoding and concatenating them for every query
would cost more than the query, so runs of consecutive deltas are merged like the digits of a
binary counter: each run has more rows than the next, a row is copied log2(n) times in all, and a
table with n deltas is about log2(n) runs. A run is immutable and its key names its content, so
workers may keep it, and what is known of its values is computed once, when it is first asked for.

Only the growing newest state is kept. An older snapshot (AS OF) is decoded for its query alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from actors.messages import DeltaRun
from storage.delta import decode_rows
from storage.names import log_name
from storage.snapshot.model import Delta, TableState
from storage.snapshot.ranges import ColumnRange, row_ranges

__all__ = ["DeltaStage"]


@dataclass(slots=True)
class _Run:
    first_id: int
    last_id: int
    schema_version: int
    table: pa.Table
    reference: Any = None  # what `share` made of it, once asked for
    ranges: Mapping[int, ColumnRange] | None = None


def _decode(delta: Delta, table: TableState) -> _Run:
    rows = decode_rows(delta.rows, f"{log_name(delta.lsn)} table {table.name}")
    return _Run(delta.id, delta.id, delta.schema_version, rows)


def _merged(older: _Run, newer: _Run) -> _Run:
    rows = pa.concat_tables([older.table, newer.table]).combine_chunks()
    return _Run(older.first_id, newer.last_id, older.schema_version, rows)


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

    def runs(self, table: TableState) -> tuple[DeltaRun, ...]:
        """The rows of all deltas of `table`, oldest first."""
        if not table.deltas:
            self._tables.pop(table.id, None)
            return ()
        runs = self._extended(table)
        return tuple(self._describe(table, run) for run in runs)

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

    def _describe(self, table: TableState, run: _Run) -> DeltaRun:
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
        )


def _after(deltas: tuple[Delta, ...], last_id: int) -> tuple[Delta, ...]:
    """Deltas with a greater id; ids ascend, so look from the end."""
    start = len(deltas)
    while start and deltas[start - 1].id > last_id:
        start -= 1
    return deltas[start:]
