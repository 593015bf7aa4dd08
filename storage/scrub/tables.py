"""One table of a snapshot: its files, deltas and index runs, and what they say of each other.

1. Every run is fetched and read through (`runs.py`), and stays mapped.
2. Every file is fetched, a few at a time, read through in a thread (`files.py`), and goes again;
   its live rows' keys are added to those of the table (`key_words.py`). Deltas alike.
3. Each key is compared with the rows (`keys.py`).

A file that is unreadable is told once, and its rows are left out of what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

from storage.names import log_name
from storage.overlap import extents, levels
from storage.primary_key import Run, locations_in
from storage.schema import TableSchema
from storage.scrub.deltas import check_delta
from storage.scrub.files import CheckedRows, FileToCheck, check_bytes, check_file
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.scrub.key_words import KeyWords
from storage.scrub.keys import KeyToCheck, check_part, faults
from storage.scrub.places import Places
from storage.scrub.row_keys import KeyColumns
from storage.scrub.row_partitions import RowPartitions, foreign_entries
from storage.scrub.runs import checked_run
from storage.scrub.source import NOT_THERE, Source, attempted, side_by_side
from storage.snapshot.changes import ClusterBy, IndexRun
from storage.snapshot.files import FileSet
from storage.snapshot.model import Delta, TableState
from storage.windows import windows

__all__ = ["TableCheck"]

ROWS_LISTED = 256  # of a file set, that are Python values at a time
REPAIR = "mobula check ROOT --repair-index makes the runs of the index anew from the data"
RESTORE_FILE = (
    "restore the object from a copy of the bucket (its versions, a replica); until then queries "
    "that read it fail"
)
REPORT = (
    "report it: these are the bytes that were written, but they are wrong, or the catalogue is; "
    "AS OF LSN reads the versions before the one that added the object"
)
TIDY = "report it; no row is wrong, and CALL mobula.recluster() sorts them apart"
TWICE = (
    "report it, decide which of the rows should stay, and delete the others by a condition that "
    "tells them apart"
)


@dataclass(slots=True, kw_only=True)
class TableCheck:
    """The check of one table.

    Attributes:
        label: `schema.table`.
        files_at_once: that are read through at a time.
        rows: live ones, once it has run.
        broken_index: whether an index is damaged.
    """

    source: Source
    teller: Teller
    table: TableState
    label: str
    files_at_once: int
    rows: int = 0
    broken_index: bool = False
    _keys: dict[int, KeyColumns] = field(default_factory=dict)
    _words: dict[int, KeyWords] = field(default_factory=dict)
    _runs: dict[int, list[Run]] = field(default_factory=dict)
    _incomplete: set[int] = field(default_factory=set)  # keys with a run that is not readable
    _counts: dict[int, int] = field(default_factory=dict)
    _unreadable: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Tell what is wrong with the table. Raises what the store raises."""
        table = self.table
        self._keys = {
            key.id: KeyColumns(key=key, columns=table.key_columns(key)) for key in table.keys
        }
        with contextlib.ExitStack() as closing:
            for number, key in self._keys.items():
                words = KeyWords(self.source.path(), key.exact, table.stored_row_count)
                self._words[number] = words
                closing.callback(words.close)
            await self._all_runs()
            self._levels()
            await self._all_files()
            for delta in table.deltas:
                await self._delta(delta)
            for number in self._keys:
                await self._compare(number)

    # --- index runs -------------------------------------------------------------------------------

    async def _all_runs(self) -> None:
        for window in windows(self.table.index_runs, self.files_at_once):
            await side_by_side(self._run(run) for run in window)

    async def _run(self, run: IndexRun) -> None:
        key = self._keys.get(run.key_id)
        if key is None:
            self._index_damage(run.name, "a run of a key of the table", f"key {run.key_id}")
            return
        path = await self.source.fetch(run.name)
        found: Run | str = NOT_THERE
        if path is not None:
            work = partial(checked_run, path, run, key.exact)
            found = await asyncio.to_thread(attempted, run.name, work)
        if isinstance(found, str):
            self._incomplete.add(run.key_id)
            self._index_damage(run.name, f'a run of the index of key "{key.key.name}"', found)
            return
        self._runs.setdefault(run.key_id, []).append(found)
        foreign = await asyncio.to_thread(foreign_entries, found, run.partition, self.table)
        if foreign is not None:
            expected = f"rows of partition {run.partition}, as the catalogue says"
            self._index_damage(run.name, expected, foreign)

    def _index_damage(self, name: str, expected: str, found: str) -> None:
        self.broken_index = True
        self._tell(Part.index, name, expected, found, REPAIR)

    # --- rows -------------------------------------------------------------------------------------

    def _levels(self) -> None:
        """Files of level 1 do not overlap others of their partition."""
        order = self.table.sort_order
        if order is None or order.order != "lexical":
            return
        for files in self.table.files.by_partition().values():
            self._levels_of(files, order)

    def _levels_of(self, files: FileSet, order: ClusterBy) -> None:
        found = extents(files, order)
        ones = [i for i, level in enumerate(levels(files, order).tolist()) if level == 1]
        ones.sort(key=lambda i: (found.first[i], found.last[i]))
        for one, after in pairwise(ones):
            if found.last[one] > found.first[after]:
                names = files.names
                expected = "level 1, whose files do not overlap"
                self._tell(Part.data, names[after], expected, f"it overlaps {names[one]}", TIDY)

    async def _all_files(self) -> None:
        """A few at a time, each beginning as soon as another one ends."""
        rest = self._file_rows()

        async def some() -> None:
            for row in rest:
                await self._file(row)

        await side_by_side(some() for _ in range(self.files_at_once))

    def _file_rows(self) -> Iterator[dict[str, Any]]:
        files = self.table.files.table
        for start in range(0, files.num_rows, ROWS_LISTED):
            yield from files.slice(start, ROWS_LISTED).to_pylist()

    async def _file(self, row: dict[str, Any]) -> None:
        name, number = row["name"], row["file_id"]
        schema = self._schema(row["schema_version"])
        if schema is None:
            self._unreadable.add(number)
            found = f"version {row['schema_version']}"
            self._tell(Part.data, name, "a schema version of the table", found, REPORT)
            return
        path = await self.source.fetch(name)
        if path is None:
            self._unreadable.add(number)
            self._tell(
                Part.data, name, "the file that the catalogue names", NOT_THERE, RESTORE_FILE
            )
            return
        file = FileToCheck(
            row=row,
            schema=schema,
            deleted=self.table.bitmaps.get(number),
            keys=tuple(self._keys.values()),
            partitions=RowPartitions.of(self.table),
        )
        try:
            fault = await asyncio.to_thread(check_bytes, path, row)
            if fault is not None:
                self._unreadable.add(number)
                self._tell(Part.data, name, *fault, RESTORE_FILE)
                return
            await self._checked(Part.data, name, number, partial(check_file, path, file))
        finally:
            path.unlink()

    async def _delta(self, delta: Delta) -> None:
        name = log_name(delta.lsn)
        schema = self._schema(delta.schema_version)
        if schema is None:
            self._unreadable.add(delta.id)
            found = f"version {delta.schema_version}"
            self._tell(Part.log, name, "a schema version of the table", found, REPORT)
            return
        keys, deleted = tuple(self._keys.values()), self.table.bitmaps.get(delta.id)
        partitions = RowPartitions.of(self.table)
        work = partial(check_delta, delta, schema, deleted, keys, partitions)
        await self._checked(Part.log, name, delta.id, work)

    async def _checked(
        self, part: Part, name: str, number: int, work: Callable[[], CheckedRows]
    ) -> None:
        """Look at rows in a thread, tell what is wrong with them, and take their keys."""

        def look() -> CheckedRows | str:
            found = attempted(name, work)
            if not isinstance(found, str):
                self._take(number, found)
            return found

        found = await asyncio.to_thread(look)
        if isinstance(found, str):
            self._unreadable.add(number)
            self._tell(part, name, "rows that can be read", found, REPORT)
            return
        for fault in found.faults:
            self._tell(part, name, *fault, REPORT)
        self._counts[number] = found.row_count
        self.rows += found.live_count

    def _take(self, number: int, found: CheckedRows) -> None:
        for gathered in found.keys:
            keys, rows = gathered.found()
            self._words[gathered.columns.key.id].add(keys, locations_in(number, rows))

    def _schema(self, version: int) -> TableSchema | None:
        return next((s for s in self.table.schemas if s.version == version), None)

    # --- keys -------------------------------------------------------------------------------------

    async def _compare(self, number: int) -> None:
        key = KeyToCheck(
            name=self._keys[number].key.name,
            words=self._words[number],
            runs=self._runs.pop(number, []),
            complete=number not in self._incomplete,
            places=Places(self.table, self._counts, self._unreadable),
        )
        for position in range(1 << key.words.bits):
            await asyncio.to_thread(check_part, key, position)
        for fault in faults(key):
            if fault.in_rows:
                name = key.places.object(fault.location >> 21) or key.name
                part = Part.log if name.startswith("log/") else Part.data
                self._tell(part, name, fault.expected, fault.found, TWICE)
            else:
                name = fault.run or f"index of key {key.name}"
                self._index_damage(name, fault.expected, fault.found)

    def _tell(self, part: Part, name: str, expected: str, found: str, next_step: str) -> None:
        self.teller.tell(
            Finding(
                severity=Severity.damage,
                part=part,
                object=name,
                table=self.label,
                expected=expected,
                found=found,
                next_step=next_step,
            )
        )
