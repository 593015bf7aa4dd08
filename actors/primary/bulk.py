"""Large writes to a table with keys: files whose keys are compared with the table's before commit.

1. Before its turn (`checked`): the runs that came with the files are merged, which finds keys that
   are there twice, and every key is looked up in the index as of a durable LSN, which is held. All
   of it in a thread, while others commit.
2. In its turn (`load_files`): only keys that were written since are looked up again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from actors.operations import AppendFiles, LoadFiles, WriteMode
from actors.primary.delete_rows import bitmaps_at
from actors.primary.indexes import Indexes
from actors.primary.maintenance import placed
from actors.primary.moves import Moves
from actors.primary.publishable import refuse_collected
from actors.primary.resolved import Resolved
from actors.primary.rows import file_changes
from actors.primary.state import WriterState
from actors.primary.traffic import files_bytes
from storage.errors import Conflict, InvalidRequest
from storage.key_rows import key_text
from storage.micropartition.physical import to_logical
from storage.objects import ObjectStore
from storage.primary_key import (
    MISSING,
    ROW_BITS,
    Keys,
    LiveIds,
    LiveRows,
    Mask,
    OpenRun,
    PlacedRun,
    Run,
    Words,
    file_ids_of,
    find_duplicate,
)
from storage.schema import Key
from storage.snapshot import changes as c
from storage.snapshot.model import TableState

__all__ = ["Bulk", "load_files"]

SLICE_KEYS = 1 << 20


class _Taken(Exception):
    """A key is there already: which, and where the new row is (file number, row)."""

    def __init__(self, key: Key, location: int, why: str) -> None:
        super().__init__(key, location, why)
        self.key = key
        self.file, self.row = location >> ROW_BITS, location & ((1 << ROW_BITS) - 1)
        self.why = why


@dataclass(slots=True)
class _Found:
    """What looking up all keys has found so far; locations, in parts."""

    gone: list[Words] = field(default_factory=list)
    left_out: list[Words] = field(default_factory=list)


class Bulk:
    """Checks large writes; one event loop."""

    def __init__(self, store: ObjectStore, indexes: Indexes) -> None:
        self._store = store
        self._indexes = indexes

    async def checked(
        self, operation: AppendFiles, table: TableState, state: WriterState, lsn: int
    ) -> LoadFiles:
        """The operation, with its keys compared with those of `state` at `lsn`.

        Raises:
            InvalidRequest: a key is there twice, or already (23505).
            CorruptData, ObjectMissing: a run that came with the files.
        """
        files = operation.files
        if len(operation.runs) != len(files):
            raise InvalidRequest(f"table {table.name}: the files come without their keys")
        opened = await self._indexes.open_runs(
            msgspec.structs.replace(run, first_file_id=position)
            for position, runs in enumerate(operation.runs)
            for run in runs.values()
        )
        if missing := {key.id for key in table.keys} - opened.keys() and files:
            raise InvalidRequest(f"table {table.name}: files come without keys of {missing}")
        try:
            found = await asyncio.to_thread(_look_up, operation, table, state, opened)
        except _Taken as taken:
            raise await self._duplicate(taken, operation, table) from None
        runs = await self._indexes.together(
            {
                key_id: [
                    await self._one(key_id, own, files) for own in _by_partition(parts).values()
                ]
                for key_id, parts in opened.items()
            }
        )
        return LoadFiles(
            table_id=table.id,
            files=files,
            mode=operation.mode,
            runs={key_id: tuple(own) for key_id, own in runs.items()},
            gone=_joined(found.gone),
            left_out=_joined(found.left_out),
            checked_lsn=lsn,
            stored_bytes=files_bytes(operation) + _merged_bytes(runs, opened),
            read_lsn=operation.read_lsn,
            partitioning=operation.partitioning,
        )

    async def _one(self, key_id: int, runs: Sequence[OpenRun], files: Sequence[object]) -> OpenRun:
        """One run for all files of a partition."""
        if len(runs) == 1:
            return runs[0]
        rows = LiveRows(LiveIds.of(range(len(files))))
        parts = [PlacedRun(run=run, generation=0, partition=row.partition) for row, run in runs]
        return await self._indexes.merged(key_id, parts, rows)

    async def _duplicate(
        self, taken: _Taken, operation: AppendFiles, table: TableState
    ) -> InvalidRequest:
        columns = table.key_columns(taken.key)
        name = operation.files[taken.file].name
        path = self._indexes.path()
        await self._store.fetch(name, path)

        def row() -> str:
            stored = pq.read_table(path, columns=[x.name for x in columns], partitioning=None)
            path.unlink()
            one = stored.slice(taken.row, 1)
            rows = pa.table({x.name: to_logical(one[x.name], x.type) for x in columns})
            return key_text(rows, columns, 0)

        text = await asyncio.to_thread(row)
        return InvalidRequest(
            f'duplicate key value violates unique constraint "{taken.key.name}" of table '
            f"{table.name}: {text} {taken.why}",
            "23505",
        )


def _merged_bytes(
    runs: Mapping[int, Sequence[OpenRun]], opened: Mapping[int, Sequence[OpenRun]]
) -> int:
    """Of runs that were made of several."""
    given = {run.name for parts in opened.values() for run, _ in parts}
    made = [run for parts in runs.values() for run, _ in parts if run.name not in given]
    return sum(run.size_bytes for run in made)


def load_files(operation: LoadFiles, state: WriterState, lsn: int, moves: Moves) -> Resolved:
    """See `resolve`.

    Raises:
        Conflict: the table was dropped or changed, or keys were written meanwhile whose fate the
            check would have to decide anew.
    """
    table = state.snapshot.tables.get(operation.table_id)
    if table is None or table.id not in state.indexes:
        raise Conflict("the table was dropped or rewritten meanwhile; nothing was written")
    first = table.next_file_id
    changes = [*file_changes(operation, table, state.snapshot, lsn)]
    _refuse_late(operation, table)
    gone = moves.now(table.id, operation.checked_lsn, operation.gone)
    gone = _joined([gone, _replaced_since(operation, table, state)])
    _refuse_taken_since(operation, table, state, gone)
    live = LiveIds.of((*table.files.table["file_id"].to_pylist(), *(d.id for d in table.deltas)))
    gone = gone[live.contains(file_ids_of(gone))]  # others left with their file
    if len(gone):
        changes.append(c.AddBitmaps(bitmaps=bitmaps_at(gone)))
    if len(operation.left_out):
        own = operation.left_out + np.uint64(first << ROW_BITS)
        changes.append(c.AddBitmaps(bitmaps=bitmaps_at(own)))
    runs = {
        key_id: tuple(placed(run, lsn, first) for run in found)
        for key_id, found in operation.runs.items()
    }
    if runs:
        added = tuple(run for found in runs.values() for run, _ in found)
        refuse_collected((run.name for run in added), state.snapshot)
        changes.append(c.AddIndexRuns(runs=added))
    index = state.indexes[table.id].exchanged(
        runs, added=range(first, first + len(operation.files))
    )
    count = sum(row.row_count for row in operation.files) - len(operation.left_out)
    return Resolved(
        kind=operation.mode.value,
        table_id=table.id,
        row_count=count,
        tables={table.id: tuple(changes)} if operation.files else {},
        indexes={table.id: index} if operation.files else {},
        written={table.id: None} if operation.files else {},
    )


def _refuse_late(operation: LoadFiles, table: TableState) -> None:
    """Raises Conflict if one of the keys was written after the statement read."""
    primary = table.primary_key
    if primary is None or primary.id not in operation.runs or primary.id not in operation.late:
        return
    if _is_in(operation.late[primary.id], operation.runs[primary.id]).any():
        raise Conflict(
            f"could not serialize access: keys of table {table.name} were written by others after "
            f"LSN {operation.read_lsn}; read again and retry"
        )


def _replaced_since(operation: LoadFiles, table: TableState, state: WriterState) -> Words:
    """Rows that an upsert replaces and that were written after it was checked."""
    none = np.empty(0, np.uint64)
    primary = table.primary_key
    if primary is None:
        return none
    keys = _own_written(operation, primary)
    if keys is None:
        return none
    found = state.indexes[table.id].find(primary.id, keys, table)
    if operation.mode is WriteMode.UPSERT and len(table.keys) == 1:
        return np.asarray(found[found != MISSING], dtype=np.uint64)
    if operation.mode is WriteMode.INSERT and len(table.keys) == 1 and (found == MISSING).all():
        return none
    raise Conflict(
        f"could not serialize access: {len(keys)} keys of table {table.name} were written by "
        "others while the rows were checked; retry"
    )


def _refuse_taken_since(
    operation: LoadFiles, table: TableState, state: WriterState, gone: Words
) -> None:
    """Raises Conflict if a row with another key of the files was written after the check: checked
    again, they are refused or left out."""
    for key in table.keys:
        if key.primary or (keys := _own_written(operation, key)) is None:
            continue
        found = state.indexes[table.id].find(key.id, keys, table)
        if ((found != MISSING) & ~np.isin(found, gone)).any():
            raise Conflict(
                f"could not serialize access: keys of constraint {key.name} of table {table.name} "
                "were written by others while the rows were checked; retry"
            )


def _own_written(operation: LoadFiles, key: Key) -> Keys | None:
    """The keys of the files that were written by others since the check; None: there are none."""
    if key.id not in operation.runs or key.id not in operation.written:
        return None
    written = operation.written[key.id]
    own = np.flatnonzero(_is_in(written, operation.runs[key.id]))
    return written.take(own) if len(own) else None


def _is_in(keys: Keys, runs: Sequence[OpenRun]) -> Mask:
    """Per key, whether one of the runs has it."""
    found = np.zeros(len(keys), np.bool_)
    for _, run in runs:
        found |= run.find(keys) != MISSING
    return found


def _by_partition(runs: Iterable[OpenRun]) -> dict[int, list[OpenRun]]:
    found: dict[int, list[OpenRun]] = {}
    for run in runs:
        found.setdefault(run[0].partition, []).append(run)
    return found


def _look_up(
    operation: AppendFiles,
    table: TableState,
    state: WriterState,
    opened: Mapping[int, Sequence[OpenRun]],
) -> _Found:
    """What the keys of the files meet in the table."""
    found = _Found()
    for key in table.keys:  # the primary key first: it decides what goes
        runs = [run for _, run in opened.get(key.id, ())]
        _refuse_twice(key, opened.get(key.id, ()))
        if not table.stored_row_count:
            if operation.mode is WriteMode.UPDATE and key.primary:
                found.left_out += [run.moved(run.entries.rows[:, -1].copy()) for run in runs]
            continue
        before = _Found([_joined(found.gone)], [_joined(found.left_out)])
        for row, run in opened.get(key.id, ()):
            for keys, new in _slices(run):
                divided = None if table.partitioning is None else np.full(len(keys), row.partition)
                old = state.indexes[table.id].find(key.id, keys, table, divided)
                _decide(operation.mode, key, (old, new), before, found)
    return found


def _refuse_twice(key: Key, opened: Iterable[OpenRun]) -> None:
    """Raises _Taken if two rows of the files have the same key; then they are of one partition."""
    for runs in _by_partition(opened).values():
        if (twice := find_duplicate([run for _, run in runs])) is not None:
            raise _Taken(key, twice.second_location, "is given twice")


def _decide(
    mode: WriteMode, key: Key, rows: tuple[Words, Words], before: _Found, found: _Found
) -> None:
    """What becomes of rows.

    Args:
        rows: where the row is that has the key, if one has, and the new row.
        before: what the keys before this one have found.
    """
    old, new = rows
    there = old != MISSING
    if not key.primary:
        there &= ~np.isin(old, before.gone[0]) & ~np.isin(new, before.left_out[0])
    if mode is WriteMode.IGNORE:
        found.left_out.append(new[there])
    elif not key.primary or mode is WriteMode.INSERT:
        if there.any():
            raise _Taken(key, int(new[np.argmax(there)]), "already exists")
    else:
        found.gone.append(old[there])
        if mode is WriteMode.UPDATE:
            found.left_out.append(new[~there])


def _slices(run: Run) -> Iterator[tuple[Keys, Words]]:
    """The entries of a run, so many at a time: keys and locations."""
    rows = run.entries.rows
    for start in range(0, len(rows), SLICE_KEYS):
        part = rows[start : start + SLICE_KEYS]
        low = None if run.entries.exact else part[:, 1].copy()
        yield Keys(part[:, 0].copy(), low), run.moved(part[:, -1].copy())


def _joined(parts: Sequence[Words]) -> Words:
    """All of them once, ascending: `np.unique` takes ten times as long for a million."""
    found = np.sort(np.concatenate([np.empty(0, np.uint64), *parts]))
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found
