"""The indexes of all keys of one table as one value: where the rows with given keys are.

The writer forks it, changes the fork, and keeps or drops it: nothing in it is changed in place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from storage.primary_key.canonical import is_exact
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, LiveRows, file_ids_of, locations_in
from storage.primary_key.memory import Memory, Tier
from storage.primary_key.pages import MappedPages
from storage.primary_key.run import Run
from storage.primary_key.words import Positions, Words
from storage.snapshot.changes import IndexRun
from storage.snapshot.model import TableState

__all__ = ["OpenRun", "TableIndex"]

OpenRun = tuple[IndexRun, Run]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TableIndex:
    """The indexes of a table.

    Attributes:
        keys: by key id.
        live: the ids of its files and deltas.
    """

    keys: Mapping[int, KeyIndex]
    live: LiveIds

    @classmethod
    def of(
        cls,
        table: TableState,
        runs: Mapping[int, Collection[OpenRun]],
        pages: MappedPages | None = None,
    ) -> TableIndex:
        """The index of a table's files; its deltas are to be added.

        Args: runs: the table's, opened, by key id.
        """
        keys = {
            key.id: KeyIndex(exact=is_exact(table.key_columns(key)), pages=pages).with_runs(
                _placed(runs.get(key.id, ()))
            )
            for key in table.keys
        }
        ids = (*table.files.table["file_id"].to_pylist(), *(d.id for d in table.deltas))
        return cls(keys=keys, live=LiveIds.of(ids))

    def find(
        self, key_id: int, keys: Keys, table: TableState, partitions: Positions | None = None
    ) -> Words:
        """Where the rows with these keys are, MISSING where no row is; shape (len(keys),).

        Args:
            table: the state that the index is of, for its delete bitmaps.
            partitions: of each key; None: any.
        """
        rows = LiveRows(self.live, table.bitmaps)
        return self.keys[key_id].find(keys, rows, partitions)

    def files_with(self, key_id: int, keys: Keys, partitions: Collection[int] | None) -> set[int]:
        """The files in which runs know rows with these keys, there or not any more.

        Args: partitions: those of the keys; None: any.
        """
        found: set[int] = set()
        for placed in self.keys[key_id].runs:
            if partitions is not None and placed.partition not in partitions:
                continue
            locations = placed.run.find(keys)
            found.update(np.unique(file_ids_of(locations[locations != MISSING])).tolist())
        return found

    def added(self, delta_id: int, row_keys: Mapping[int, tuple[Keys, Positions]]) -> TableIndex:
        """With the rows of a new delta. Args: row_keys: by key id, keys and the row of each."""
        keys = dict(self.keys)
        for key_id, (found, rows) in row_keys.items():
            keys[key_id] = keys[key_id].added(found, locations_in(delta_id, rows))
        return dataclasses.replace(self, keys=keys, live=self.live.changed([delta_id], []))

    def unsettled(self) -> Iterator[Tier]:
        """What is in memory and to be settled (`memory.py`)."""
        for index in self.keys.values():
            yield from index.memory.unsettled()

    def emptied(self) -> TableIndex:
        """Of the same table without rows."""
        keys = {
            key_id: dataclasses.replace(index, memory=Memory(), runs=())
            for key_id, index in self.keys.items()
        }
        return dataclasses.replace(self, keys=keys, live=LiveIds.of(()))

    def exchanged(
        self,
        runs: Mapping[int, Iterable[OpenRun]],
        *,
        added: Collection[int] = (),
        removed: Collection[int] = (),
        gone: Collection[str] = (),
    ) -> TableIndex:
        """With files and deltas that came and went, and runs that did.

        Args:
            runs: new ones, by key id.
            added, removed: ids of files and deltas.
            gone: names of runs.
        """
        live = self.live.changed(added, removed) if added or removed else self.live
        keys = dict(self.keys)
        for key_id, index in keys.items():
            changed = index.without_runs(gone) if gone else index
            changed = changed.with_runs(_placed(runs.get(key_id, ())))
            keys[key_id] = changed.only(live) if removed else changed
        return dataclasses.replace(self, keys=keys, live=live)


def _placed(runs: Iterable[OpenRun]) -> list[PlacedRun]:
    return [
        PlacedRun(run=file, generation=run.generation, partition=run.partition)
        for run, file in runs
    ]
