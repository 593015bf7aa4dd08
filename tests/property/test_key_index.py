"""Random histories of a key's index against a dictionary of where each row is.

Rows are inserted, moved by updates and deleted; deltas are flushed, files compacted and runs
merged, each from a snapshot that is older than the commit of its result; bitmaps come and go. After
each step every key is found exactly where its row is. Keys are few and full of ties. Runs are
merged in any combination and added as late as it happens: order must not matter.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pyroaring import BitMap, FrozenBitMap

from storage.delete_bitmap import DeleteBitmap
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, LiveRows
from storage.primary_key.merge import merge
from storage.primary_key.run import open_run
from storage.primary_key.run_writer import write_run

Pair = tuple[int, int]
HIGH = (0, 1, 1 << 40, 1 << 63, (1 << 63) + 1, 2**64 - 1)
LOW = (0, 5, 2**64 - 1)
KEYS = [(high, low) for high in HIGH for low in LOW]
SOME_KEYS = st.sets(st.sampled_from(KEYS), min_size=1, max_size=8)


@dataclass(frozen=True)
class Flush:
    """Files or deltas that are being rewritten: the rows that were there when it began."""

    sources: frozenset[int]
    generation: int
    rows: dict[Pair, int]


@dataclass(frozen=True)
class Merge:
    """Runs that are being merged, and the rows that were there when it began."""

    runs: tuple[PlacedRun, ...]
    rows: LiveRows


@dataclass
class Table:
    """Where each row is, and what the catalogue says."""

    locations: dict[Pair, int] = field(default_factory=dict)
    live: LiveIds = field(default_factory=lambda: LiveIds.of([]))
    deltas: set[int] = field(default_factory=set)
    files: set[int] = field(default_factory=set)
    bitmaps: dict[int, DeleteBitmap] = field(default_factory=dict)
    next_file_id: int = 1
    lsn: int = 0

    def delete(self, locations: list[int]) -> None:
        for location in locations:
            file_id, row = location >> 21, location & (2**21 - 1)
            old = self.bitmaps.get(file_id)
            positions = BitMap() if old is None else BitMap(old.bitmap)
            positions.add(row)
            self.bitmaps[file_id] = DeleteBitmap(file_id, 2**21, FrozenBitMap(positions))


class KeyIndexMachine(RuleBasedStateMachine):
    """The index, the table, and work that is under way."""

    @initialize(exact=st.booleans())
    def begin(self, exact: bool) -> None:
        self.exact = exact
        self.index = KeyIndex(exact=exact)
        self.table = Table()
        self.rows = LiveRows(self.table.live)
        self.flushes: list[Flush] = []
        self.merges: list[Merge] = []
        self.directory = tempfile.TemporaryDirectory()
        self.run_count = 0

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            self.directory.cleanup()

    def keys(self, pairs: list[Pair]) -> Keys:
        high = np.array([high for high, _ in pairs], np.uint64)
        return Keys(high, None if self.exact else np.array([low for _, low in pairs], np.uint64))

    def plain(self, pairs: set[Pair]) -> list[Pair]:
        return sorted({(high, 0 if self.exact else low) for high, low in pairs})

    def path(self) -> Path:
        self.run_count += 1
        return Path(self.directory.name) / str(self.run_count)

    def committed(self, added: list[int], removed: list[int]) -> None:
        self.table.lsn += 1
        self.table.live = self.table.live.changed(added, removed)
        for file_id in removed:
            self.table.bitmaps.pop(file_id, None)
        self.rows = LiveRows(self.table.live, dict(self.table.bitmaps))

    @rule(chosen=SOME_KEYS)
    def upsert(self, chosen: set[Pair]) -> None:
        """A delta with a new row for each key."""
        pairs, table = self.plain(chosen), self.table
        delta = table.next_file_id
        table.next_file_id += 1
        table.delete([table.locations[pair] for pair in pairs if pair in table.locations])
        new = {pair: (delta << 21) + row for row, pair in enumerate(pairs)}
        table.locations |= new
        table.deltas.add(delta)
        self.committed([delta], [])
        self.index = self.index.added(self.keys(pairs), np.array(list(new.values()), np.uint64))

    @rule(chosen=SOME_KEYS)
    def delete(self, chosen: set[Pair]) -> None:
        gone = [pair for pair in self.plain(chosen) if pair in self.table.locations]
        self.table.delete([self.table.locations.pop(pair) for pair in gone])
        self.committed([], [])

    @rule(data=st.data(), of_deltas=st.booleans())
    def begin_rewriting(self, data: st.DataObject, of_deltas: bool) -> None:
        """A flush of some deltas, or a compaction of some files."""
        busy = {file_id for flush in self.flushes for file_id in flush.sources}
        free = sorted((self.table.deltas if of_deltas else self.table.files) - busy)
        if not free:
            return
        sources = data.draw(st.sets(st.sampled_from(free), min_size=1))
        rows = {p: at for p, at in self.table.locations.items() if at >> 21 in sources}
        self.flushes.append(Flush(frozenset(sources), self.table.lsn, rows))

    @precondition(lambda self: self.flushes)
    @rule(data=st.data())
    def end_rewriting(self, data: st.DataObject) -> None:
        """Its result is committed, with what was deleted meanwhile."""
        flush = data.draw(st.sampled_from(self.flushes))
        self.flushes.remove(flush)
        table, file_id, path = self.table, self.table.next_file_id, self.path()
        table.next_file_id += 1
        pairs = list(flush.rows)
        write_run(path, self.keys(pairs), np.arange(len(pairs)).astype(np.uint64))
        new = {pair: (file_id << 21) + row for row, pair in enumerate(pairs)}
        moved = {pair for pair in pairs if table.locations.get(pair) == flush.rows[pair]}
        table.delete([at for pair, at in new.items() if pair not in moved])
        table.locations |= {pair: new[pair] for pair in moved}
        table.deltas -= flush.sources
        table.files = (table.files - flush.sources) | {file_id}
        self.committed([file_id], sorted(flush.sources))
        run = open_run(path, first_file_id=file_id)
        self.index = self.index.with_runs([PlacedRun(run=run, generation=flush.generation)])

    @rule()
    def purge(self) -> None:
        self.index = self.index.only(self.table.live)

    @precondition(lambda self: len(self.index.runs) > 1)
    @rule(data=st.data())
    def begin_merging(self, data: st.DataObject) -> None:
        """Any runs, neighbours or not."""
        busy = {id(placed) for task in self.merges for placed in task.runs}
        free = [n for n, placed in enumerate(self.index.runs) if id(placed) not in busy]
        if free:
            chosen = data.draw(st.sets(st.sampled_from(free), min_size=1))
            runs = tuple(self.index.runs[n] for n in sorted(chosen))
            self.merges.append(Merge(runs, self.rows))

    @precondition(lambda self: self.merges)
    @rule(data=st.data())
    def end_merging(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.merges))
        self.merges.remove(task)
        path = self.path()
        merge([placed.run for placed in task.runs], path, task.rows)
        merged = PlacedRun(run=open_run(path), generation=task.runs[0].generation)
        self.index = self.index.without_runs(placed.run.name for placed in task.runs)
        self.index = self.index.with_runs([merged])

    @invariant()
    def every_key_is_found_where_its_row_is(self) -> None:
        if not hasattr(self, "table"):
            return
        pairs = self.plain(set(KEYS))
        found = self.index.find(self.keys(pairs), self.rows)
        assert found.tolist() == [self.table.locations.get(p, int(MISSING)) for p in pairs]


KeyIndexMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestKeyIndex = KeyIndexMachine.TestCase
