"""The index of one key of a table: where the row with a key is.

Entries of deltas are in memory (`memory.py`), entries of files in runs (`run.py`). A search asks
the newest first: memory, then the runs by generation, each for the keys that are not found yet. A
location whose row is not there any more (`LiveRows`) is as if absent, and the next is asked. Since
a key has at most one row that is there, the order decides how soon it is found, not which it is:
runs may be added late and merged in any way.

Of a partitioned table each run has keys of one partition, and a key is looked up in the runs of its
own, where that is known. What is in memory is of all of them.

An index is a value: changes make a new one and leave the old one as it is, for a transaction that
fails or a thread that still searches it. Runs are shared, and closed when no index has them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.errors import InternalError
from storage.primary_key.arena import Arena
from storage.primary_key.entries import Entries
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, ROW_BITS, LiveIds, LiveRows
from storage.primary_key.memory import Memory
from storage.primary_key.pages import MappedPages
from storage.primary_key.plan import plan_merges
from storage.primary_key.run import Run
from storage.primary_key.words import Positions, Words

__all__ = ["KeyIndex", "PlacedRun"]

CONFLICT_ENTRIES = 1 << 18


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlacedRun:
    """A run with its `generation`: the LSN as of which it says where keys are.

    `partition`: that all its rows are in; 0: the table has none.
    """

    run: Run
    generation: int
    partition: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class KeyIndex:
    """The index of one key.

    Attributes:
        exact: what its keys are (`canonical.is_exact`).
        memory: entries of deltas.
        runs: newest first.
        pages: the budget for mapped pages, if the process has one.
    """

    exact: bool
    memory: Memory = field(default_factory=Memory)
    runs: tuple[PlacedRun, ...] = ()
    pages: MappedPages | None = None

    def find(self, keys: Keys, rows: LiveRows, partitions: Positions | None = None) -> Words:
        """The locations of keys, MISSING where no row is there; shape (len(keys),).

        Args: partitions: of each key; None: any.
        """
        self._check(keys)
        result = np.full(len(keys), MISSING)
        left = self._search(self.memory.parts, np.arange(len(keys)), keys, rows, result)
        if partitions is None:
            self._search([p.run for p in self.runs], left, keys, rows, result)
            return result
        self._search_partitions(left, keys, partitions, rows, result)
        return result

    def _search_partitions(
        self, left: Positions, keys: Keys, partitions: Positions, rows: LiveRows, result: Words
    ) -> None:
        """The same in the runs of each key's partition: the newest of all of them, then the next of
        all. Whether rows are there is asked once a round: there may be many partitions."""
        if not len(left):
            return
        runs = self._by_partition()
        order = left[np.argsort(partitions[left], kind="stable")]
        numbers, starts = np.unique(partitions[order], return_index=True)
        groups = [
            (runs.get(number, []), at)
            for number, at in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)
        ]
        depth = 0
        while groups := [(own, at) for own, at in groups if depth < len(own) and len(at)]:
            found = self._located_in([(own[depth].run, at) for own, at in groups], keys)
            hit = np.flatnonzero(found != MISSING)
            hit = hit[rows.contains(found[hit])]
            result[np.concatenate([at for _, at in groups])[hit]] = found[hit]
            missed = np.ones(len(found), np.bool_)
            missed[hit] = False
            parts = zip(groups, _parts(missed, [len(at) for _, at in groups]), strict=True)
            groups = [(own, at[there]) for (own, at), there in parts]
            depth += 1

    def _search(
        self,
        parts: Sequence[Entries | Run],
        left: Positions,
        keys: Keys,
        rows: LiveRows,
        result: Words,
    ) -> Positions:
        """Look up the keys at positions `left`, and put into `result` what is found. Returns the
        positions of the others."""
        for part in parts:
            if not len(left):
                break
            found = self._probe(part, keys if len(left) == len(keys) else keys.take(left), rows)
            hit = found != MISSING
            if hit.any():
                result[left[hit]] = found[hit]
                left = left[~hit]
        return left

    def _by_partition(self) -> dict[int, list[PlacedRun]]:
        """The runs of each partition, newest first."""
        found: dict[int, list[PlacedRun]] = {}
        for placed in self.runs:
            found.setdefault(placed.partition, []).append(placed)
        return found

    def first_conflict(self, run: Run, rows: LiveRows) -> tuple[int, int] | None:
        """Locations of two rows with one key: of a row of a run that is to be added, which makes
        no difference here, and of one that is there already; or None.

        Goes through the whole run, in the order of its keys.
        """
        entries = run.entries
        for start in range(0, len(entries), CONFLICT_ENTRIES):
            part = entries.rows[start : start + CONFLICT_ENTRIES]
            low = None if entries.exact else part[:, 1].copy()
            found = self.find(Keys(part[:, 0].copy(), low), rows)
            hits = np.flatnonzero(found != MISSING)
            if len(hits):
                own = run.moved(part[hits[:1], -1])
                return int(own[0]), int(found[hits[0]])
        return None

    def added(self, keys: Keys, locations: Words) -> KeyIndex:
        """With entries of the newest deltas; they come before all that is in memory."""
        self._check(keys)
        return dataclasses.replace(self, memory=self.memory.added(keys, locations))

    def with_runs(self, runs: Iterable[PlacedRun]) -> KeyIndex:
        """With more runs, each at the place that its generation gives it."""
        new = tuple(runs)
        for placed in new:
            if placed.run.entries.exact != self.exact:
                raise InternalError(f"{placed.run.name}: keys of another kind than the index's")
        # of the same generation, the one that was added last comes first
        ordered = sorted((*reversed(new), *self.runs), key=lambda placed: -placed.generation)
        return dataclasses.replace(self, runs=tuple(ordered))

    def without_runs(self, names: Iterable[str]) -> KeyIndex:
        """Without the runs of these names."""
        gone = frozenset(names)
        kept = tuple(placed for placed in self.runs if placed.run.name not in gone)
        return dataclasses.replace(self, runs=kept)

    def only(self, live: LiveIds) -> KeyIndex:
        """With memory freed of entries whose delta is gone: to be called after a flush."""
        return dataclasses.replace(self, memory=self.memory.only(live))

    def due_merges(self) -> tuple[tuple[PlacedRun, ...], ...]:
        """Groups of runs to be merged, each of one partition and newest first (`merge.merge`).

        A merged run has the generation of the first of its group.
        """
        return tuple(
            tuple(runs[group.start : group.stop])
            for runs in self._by_partition().values()
            for group in plan_merges([len(placed.run) for placed in runs])
        )

    def dead_runs(self, live: LiveIds) -> tuple[str, ...]:
        """Names of runs whose files are all gone."""
        return tuple(p.run.name for p in self.runs if live.contains_none(*p.run.file_ids))

    def _probe(self, part: Entries | Run, keys: Keys, rows: LiveRows) -> Words:
        """Locations that a part has for keys and whose rows are there, else MISSING."""
        found = self._located(part, keys)
        at = np.flatnonzero(found != MISSING)
        gone = at[~rows.contains(found.take(at), part.file_ids)]
        found[gone] = MISSING
        return found

    def _located(self, part: Entries | Run, keys: Keys) -> Words:
        """Locations that a part has for keys, else MISSING."""
        if self.pages is not None and isinstance(part, Run):
            self.pages.probed(part, len(keys))
        return part.find(keys)

    def _located_in(self, searches: Sequence[tuple[Run, Positions]], keys: Keys) -> Words:
        """Locations that each run has for the keys at its positions, one after the other."""
        found: list[Words] = [np.empty(0, np.uint64)] * len(searches)
        together: dict[Arena, list[int]] = {}
        for number, (run, at) in enumerate(searches):
            if run.arena is None:
                found[number] = self._located(run, keys.take(at))
                continue
            together.setdefault(run.arena, []).append(number)
            if self.pages is not None:
                self.pages.probed(run, len(at))
        for arena, numbers in together.items():
            runs, own = zip(*(searches[number] for number in numbers), strict=True)
            lengths = [len(at) for at in own]
            slots = np.repeat([run.slot for run in runs], lengths)
            located = arena.find(keys.take(np.concatenate(own)), slots)
            first = np.repeat([run.first_file_id for run in runs], lengths).astype(np.uint64)
            moved = located + (first << np.uint64(ROW_BITS))
            located = np.where(located == MISSING, MISSING, moved)
            for number, part in zip(numbers, _parts(located, lengths), strict=True):
                found[number] = part
        return np.concatenate(found)

    def _check(self, keys: Keys) -> None:
        if keys.exact != self.exact:
            raise InternalError("keys of another kind than the index's")


def _parts(array: npt.NDArray[Any], lengths: Sequence[int]) -> list[npt.NDArray[Any]]:
    """An array, cut into parts of these lengths."""
    return np.split(array, np.cumsum(lengths[:-1], dtype=np.int64))
