"""Which files of a table are rewritten next: a pure function of the table and the policy.

1. *Order.* Where more than `depth_max` files have rows between the same two keys, those of level 0
   among them are merged; of many partitions some before it comes to that. They join the files of
   level 1 that lie in their extent, and become level 1 with them, as long as little of level 1 is
   rewritten for it. Else those that are spread most thinly are merged among themselves: they stay
   level 0, each with a part of the extent, until enough has gathered above few files of level 1.
   So every row is rewritten a few times only, however large the table is, and files of level 1
   never overlap.
2. *Holes.* A file of which too much is deleted is written anew by itself.
3. *Size.* Small files that are neighbours in the order become one: a full one, or one of which
   none of them was more than half.

Files of different partitions never meet: each partition is looked at by itself, and has a task of
its own. What was found of files is remembered with them, so a partition that has not changed costs
little.

No choice is ever wrong: a file may be rewritten with any others at any time. In Z-order files have
no extent; those of level 0 are sorted together as soon as they are too many, and that is all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from storage.compaction_policy import CompactionPolicy
from storage.ingest import FILE_BYTES_MAX
from storage.overlap import Extents, Ranks, depth_max, extents, levels, unsorted
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState

__all__ = ["RewriteTask", "due_tasks", "files_due", "holes_task", "tidy_task"]

PLACES_MAX = 16  # where a damaged file is in the way, another place may be due
THIN_FACTOR = 4.0  # files are merged with those that are spread so many times as thinly, at most

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteTask:
    """Files to rewrite.

    Attributes:
        kind: "holes": each by itself; "merge": all together.
        level: of the new files.
        partition: of all of them, old and new; 0: the table has none.
    """

    kind: Literal["holes", "merge"]
    file_ids: tuple[int, ...]
    level: int
    partition: int


def due_tasks(
    policy: CompactionPolicy,
    table: TableState,
    rows_max: int,
    *,
    avoid: Set[int] = frozenset(),
    busy: Set[int] = frozenset(),
) -> Iterator[RewriteTask]:
    """What is due, first things first; one task of each partition that has any.

    Args:
        rows_max: of a file of the table.
        avoid: ids of files that cannot be rewritten.
        busy: partitions that are left out.
    """
    parts = {
        partition: _Files(table, files, partition, rows_max, avoid)
        for partition, files in table.files.by_partition().items()
    }
    done = set(busy)
    for partition, limit in _too_deep(policy, parts).items():
        if partition not in busy:
            limited = dataclasses.replace(policy, depth_max=limit)
            if (task := _order(limited, parts[partition])) is not None:
                done.add(partition)
                yield task
    for partition, due in _files_due(policy, table).items():
        if partition not in done and (some := [i for i in due if i not in avoid]):
            done.add(partition)
            yield holes_task(table, some, policy.task_files_max)
    for partition, files in parts.items():
        if partition not in done and (task := _size(policy, files)) is not None:
            yield task


def _too_deep(policy: CompactionPolicy, parts: Mapping[int, _Files]) -> dict[int, int]:
    """Partitions in which files are to be merged now, the deepest first, and the depth that each is
    to have then.

    None may be deeper than `depth_max`. Writes go to many partitions alike, which would all come
    to that at once: so the deeper, the fewer may be as deep, from a third of `depth_max` on, where
    all of them may. So work is spread over the time in which one partition fills up.
    """
    most = policy.depth_max
    start = most // 3
    depths = {n: depth for n, files in parts.items() if (depth := files.depth(start)) > start}
    deepest = sorted(depths, key=lambda n: (-depths[n], n))
    count = 0
    for limit in {most, *(min(depth - 1, most) for depth in depths.values())}:
        deeper = sum(depth > limit for depth in depths.values())
        count = max(count, deeper - math.ceil(len(parts) * (most - limit) / (most - start)))
    return {n: min(most, depths[n] - 1) for n in deepest[:count]}


def tidy_task(
    policy: CompactionPolicy, table: TableState, rows_max: int, partition: int
) -> RewriteTask | None:
    """What is to be sorted so that no files of a partition overlap and each is sorted as the table
    is, whatever it costs; None: nothing."""
    known = table.files.by_partition().get(partition)
    if known is None:
        return None
    files = _Files(table, known, partition, rows_max, frozenset())
    if files.order is None:
        return None
    for found in files.extents.heaps():
        rows = int(files.rows[found].sum())
        if rows <= policy.merge_rows_max and (files.level[found] == 0).any():
            return files.task(found, 1)
    overlapping = dataclasses.replace(policy, depth_max=1, level_share_max=math.inf)
    if (task := _order(overlapping, files)) is not None:
        return task
    left = unsorted(known, files.order)[:1]  # of another order, and nothing to merge it with
    return files.task(left, int(len(files) == 1)) if len(left) else None


def holes_task(table: TableState, file_ids: Sequence[int], files_max: int) -> RewriteTask:
    """To write the first of these files anew, and others of its partition and level, each by
    itself."""
    files = table.files
    ours = zip(files.partitions.tolist(), levels(files, table.sort_order).tolist(), strict=True)
    by_id = dict(zip(files.ids, ours, strict=True))
    partition, level = by_id[file_ids[0]]
    alike = [i for i in file_ids if by_id[i] == (partition, level)][:files_max]
    return RewriteTask(kind="holes", file_ids=tuple(alike), level=level, partition=partition)


def files_due(policy: CompactionPolicy, table: TableState, partition: int) -> tuple[int, ...]:
    """Ids of the files of a partition that have too many holes, those with the most first."""
    return tuple(_files_due(policy, table).get(partition, ()))


def _files_due(policy: CompactionPolicy, table: TableState) -> dict[int, list[int]]:
    """Ids of files by partition; the first one has the file with the most holes."""
    ids, rows = np.array(table.files.ids, np.int64), table.files.numbers("row_count")
    deleted = np.array([table.deleted_count(i) for i in table.files.ids], np.int64)
    shares = deleted / np.maximum(rows, 1)
    due = np.flatnonzero((deleted > 0) & (shares >= policy.holes_max))
    found: dict[int, list[int]] = {}
    for place in due[np.lexsort([ids[due], -shares[due]])].tolist():
        found.setdefault(int(table.files.partitions[place]), []).append(int(ids[place]))
    return found


class _Files:
    """The files of a partition as arrays, in the order of its `FileSet`, as far as they are asked
    for."""

    def __init__(
        self, table: TableState, files: FileSet, partition: int, rows_max: int, avoid: Set[int]
    ) -> None:
        self.order = table.sort_order
        self.rows_max = rows_max
        self._table = table
        self._files = files
        self._partition = partition
        self._avoid = avoid

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def ids(self) -> Ranks:
        return np.array(self._files.ids, np.int64)

    @cached_property
    def rows(self) -> Ranks:
        """That are not deleted."""
        gone = [self._table.deleted_count(i) for i in self._files.ids]
        return np.asarray(self._files.numbers("row_count") - np.array(gone, np.int64))

    @cached_property
    def free(self) -> Mask:
        return ~np.isin(self.ids, np.array(sorted(self._avoid), np.int64))

    @property
    def extents(self) -> Extents:
        return extents(self._files, self.order)

    @property
    def depth_max(self) -> int:
        return depth_max(self._files, self.order)

    def depth(self, least: int) -> int:
        """How many files lie above each other; where files have no extent, those of level 0.
        Args: least: whether it is more than that is asked."""
        if self.order is None or len(self) <= least:
            return 0
        return self.depth_max if self.order.order == "lexical" else int((self.level == 0).sum())

    @property
    def level(self) -> Ranks:
        return levels(self._files, self.order)

    @cached_property
    def is_small(self) -> Mask:
        rows, bytes_ = (self._files.numbers(name) for name in ("row_count", "size_bytes"))
        small = (rows * 2 < self.rows_max) & (bytes_ * 2 < FILE_BYTES_MAX)
        return np.asarray(small & self.free if self._avoid else small)

    def task(self, where: Ranks | Mask, level: int) -> RewriteTask:
        return RewriteTask(
            kind="merge",
            file_ids=tuple(sorted(self.ids[where].tolist())),
            level=level,
            partition=self._partition,
        )


# --- order ----------------------------------------------------------------------------------------


def _order(policy: CompactionPolicy, files: _Files) -> RewriteTask | None:
    if files.order is None or len(files) <= policy.depth_max:
        return None
    if files.order.order != "lexical":
        return _together(policy, files)
    if files.depth_max <= policy.depth_max:
        return None
    edges, depths = files.extents.depths()
    for deepest in np.argsort(-depths, kind="stable")[:PLACES_MAX]:
        if depths[deepest] <= policy.depth_max:
            return None
        there = files.extents.overlapping(int(edges[deepest]), int(edges[deepest + 1]))
        found = np.flatnonzero(there & files.free & (files.level == 0))
        if len(found) and (task := _merge(policy, files, found)) is not None:
            return task
    return None


def _merge(policy: CompactionPolicy, files: _Files, found: Ranks) -> RewriteTask | None:
    """Of files of level 0 that overlap: those that join level 1, or are merged with each other."""
    spread = files.rows[found] / np.maximum([_rows_around(files, i) for i in found], 1)
    dense_first = found[np.argsort(-spread, kind="stable")]
    if (task := _into_level_1(policy, files, dense_first)) is not None:
        return task
    if len(found) < 2:
        return None
    thin_first = np.argsort(spread, kind="stable")
    chosen = [int(thin_first[0])]
    rows = int(files.rows[found[thin_first[0]]])
    for place in thin_first[1:].tolist():
        rows += int(files.rows[found[place]])
        fits = rows <= policy.merge_rows_max or len(chosen) < 2
        alike = spread[place] <= THIN_FACTOR * spread[chosen].mean()
        if not fits or not (alike or len(chosen) < policy.fan_in):
            break
        chosen.append(place)
    return files.task(found[chosen], 0)


def _rows_around(files: _Files, position: int) -> int:
    """Rows of all files that have some in the extent of one."""
    first, last = int(files.extents.first[position]), int(files.extents.last[position])
    return int(files.rows[files.extents.overlapping(first, last)].sum())


def _into_level_1(policy: CompactionPolicy, files: _Files, found: Ranks) -> RewriteTask | None:
    """As many of `found`, from its beginning, as may join the files of level 1 below them."""
    one = files.level == 1
    first = np.minimum.accumulate(files.extents.first[found])
    last = np.maximum.accumulate(files.extents.last[found])
    rows = np.cumsum(files.rows[found])
    for count in range(len(found), 0, -1):
        below = one & files.extents.overlapping(int(first[count - 1]), int(last[count - 1]))
        rewritten, joining = int(files.rows[below].sum()), int(rows[count - 1])
        if (
            rewritten + joining <= policy.merge_rows_max
            and rewritten <= policy.level_share_max * joining
            and files.free[below].all()
        ):
            return files.task(np.concatenate([found[:count], np.flatnonzero(below)]), 1)
    return None


def _together(policy: CompactionPolicy, files: _Files) -> RewriteTask | None:
    """Without extents: files of level 0, the oldest first, as soon as they are too many."""
    found = np.flatnonzero(files.free & (files.level == 0))
    if len(found) <= policy.depth_max:
        return None
    fitting = np.cumsum(files.rows[found]) <= policy.merge_rows_max
    fitting[:2] = True
    return files.task(found[fitting], 1)


# --- size -----------------------------------------------------------------------------------------


def _size(policy: CompactionPolicy, files: _Files) -> RewriteTask | None:
    """Neighbours that are small, of one level: the group with the fewest rows."""
    count = policy.small_files_max
    if int(files.is_small.sum()) < count or count < 2:
        return None
    found: list[tuple[int, RewriteTask]] = []
    for level in (0, 1):
        place = np.flatnonzero(files.level == level)
        place = place[np.lexsort([files.ids[place], files.extents.first[place]])]
        if len(place) < count:
            continue
        rows = sliding_window_view(files.rows[place], count)
        fitting = (rows.cumsum(axis=1) <= files.rows_max).sum(axis=1)
        total = rows.sum(axis=1)
        seldom = (fitting < count) | (rows.max(axis=1) * 2 <= total)  # no row moves often
        due = sliding_window_view(files.is_small[place], count).all(axis=1) & seldom
        if due.any():
            start = int(np.flatnonzero(due)[np.argmin(total[due])])
            chosen = place[start : start + int(fitting[start])]
            found.append((int(total[start]), files.task(chosen, level)))
    return min(found, key=itemgetter(0))[1] if found else None
