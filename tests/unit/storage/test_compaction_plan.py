"""Which files are rewritten: the order stays tight, level 1 never overlaps, at a bounded price."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Set

import pyarrow as pa
import pytest

from storage.compaction_plan import RewriteTask, due_tasks, files_due, tidy_task
from storage.compaction_policy import CompactionPolicy
from storage.delete_bitmap import DeleteBitmap, Positions, encode_positions
from storage.overlap import depth_max, extents
from storage.schema import Column, Kind, ScalarType, TableSchema
from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.model import TableState

FULL = 100  # rows of a file
LEXICAL = ClusterBy(column_ids=(1,))
ZORDER = ClusterBy(column_ids=(1, 2), order="zorder")
COLUMNS = tuple(
    Column(id=i, name=f"c{i}", type=ScalarType(Kind.BIGINT), nullable=False) for i in (1, 2)
)
POLICY = CompactionPolicy(merge_rows_max=1_200)


def next_task(
    policy: CompactionPolicy, table: TableState, rows_max: int, avoid: Set[int] = frozenset()
) -> RewriteTask | None:
    return next(due_tasks(policy, table, rows_max, avoid=avoid), None)


def key(value: int) -> bytes:
    return value.to_bytes(8, "big")


def table_of(
    files: Iterable[tuple[int, list[int], int]],
    order: ClusterBy | None = LEXICAL,
    sort: ClusterBy | None = LEXICAL,
    *,
    deleted: dict[int, int] | None = None,
    partitions: int = 0,
    unsorted: Set[int] = frozenset(),
) -> TableState:
    """Args: files: id, keys, level. deleted: rows by file. partitions: files are dealt out to them
    in turn, by id. unsorted: those that have no order."""
    found = list(files)
    rows = [
        FileRow(
            name=f"data/{number}",
            checksum="",
            size_bytes=len(keys),
            tail_bytes=1,
            row_count=len(keys),
            stripe_count=1,
            schema_version=1,
            level=level,
            partition=str(1 + number % partitions) if partitions else None,
            statistics={},
            sort=None if sort is None or number in unsorted else sort.text,
            first_key=key(keys[0]) if sort == LEXICAL and number not in unsorted else None,
            last_key=key(keys[-1]) if sort == LEXICAL and number not in unsorted else None,
        )
        for number, keys, level in found
    ]
    made = FileSet.of(rows, COLUMNS, first_id=1, lsn=1).table
    ids = pa.array([number for number, _, _ in found], pa.int64())
    sizes = {number: len(keys) for number, keys, _ in found}
    return TableState(
        id=2,
        schema_id=1,
        name="t",
        schemas=(TableSchema(version=1, columns=COLUMNS),),
        cluster_by=order,
        next_column_id=3,
        files=FileSet(made.set_column(0, made.schema.field(0), ids)),
        bitmaps={
            number: DeleteBitmap.decode(
                number, sizes[number], encode_positions(Positions(range(count))), "test"
            )
            for number, count in (deleted or {}).items()
        },
    )


class Model:
    """A table whose files are lists of keys, and maintenance that does what is planned."""

    def __init__(self) -> None:
        self.files: dict[int, tuple[list[int], int]] = {}
        self.next_id = 1
        self.loaded = self.rewritten = 0

    def add(self, keys: Iterable[int], level: int = 0) -> None:
        self.files[self.next_id] = (sorted(keys), level)
        self.next_id += 1

    def load(self, keys: list[int]) -> None:
        self.loaded += len(keys)
        self.add(keys)

    @property
    def table(self) -> TableState:
        return table_of((number, keys, level) for number, (keys, level) in self.files.items())

    def maintain(self, tidy: CompactionPolicy | None = None) -> None:
        for _ in range(1_000):
            table = self.table
            task = (
                next_task(POLICY, table, FULL) if tidy is None else tidy_task(tidy, table, FULL, 0)
            )
            if task is None:
                return
            assert task.kind == "merge"
            keys = sorted(k for i in task.file_ids for k in self.files.pop(i)[0])
            assert len(keys) <= POLICY.merge_rows_max or tidy is not None
            self.rewritten += len(keys)
            count = -(-len(keys) // FULL)
            for part in range(count):
                found = keys[len(keys) * part // count : len(keys) * (part + 1) // count]
                self.add(found, task.level)
            self.check()
        raise AssertionError("maintenance does not come to an end")

    def check(self) -> None:
        """Level 1 does not overlap."""
        ones = sorted((keys[0], keys[-1]) for keys, level in self.files.values() if level == 1)
        for (_, last), (first, _) in itertools.pairwise(ones):
            assert last <= first

    def depth(self) -> int:
        return int(extents(self.table.files, LEXICAL).depths()[1].max())


def uniform(rng: random.Random, _: int) -> list[int]:
    return [rng.randrange(1 << 40) for _ in range(rng.randrange(10, 80))]


def few_values(rng: random.Random, _: int) -> list[int]:
    return [rng.randrange(6) for _ in range(rng.randrange(10, 80))]


def ascending(rng: random.Random, turn: int) -> list[int]:
    return [(turn << 20) + rng.randrange(1 << 20) for _ in range(rng.randrange(1, 30))]


def skewed(rng: random.Random, _: int) -> list[int]:
    return [int(rng.paretovariate(0.7) * 1e6) for _ in range(rng.randrange(10, 80))]


@pytest.mark.parametrize("keys", [uniform, few_values, ascending, skewed])
def test_however_rows_come_the_table_stays_tight_at_a_bounded_price(
    keys: Callable[[random.Random, int], list[int]],
) -> None:
    rng = random.Random(f"plan {keys.__name__}")
    model = Model()
    for turn in range(250):
        model.load(keys(rng, turn))
        model.maintain()
        assert model.depth() <= POLICY.depth_max
    assert sum(len(k) for k, _ in model.files.values()) == model.loaded
    assert model.rewritten <= 12 * model.loaded
    assert len(model.files) <= 3 * model.loaded / FULL + 20


@pytest.mark.parametrize("merge_rows_max", [200, 1 << 20])
@pytest.mark.parametrize("keys", [uniform, few_values, ascending, skewed])
def test_asked_for_nothing_overlaps_in_the_end(
    keys: Callable[[random.Random, int], list[int]], merge_rows_max: int
) -> None:
    policy = CompactionPolicy(merge_rows_max=merge_rows_max)
    rng = random.Random(f"tight {keys.__name__}")
    model = Model()
    for turn in range(60):
        model.load(keys(rng, turn))
    model.maintain(tidy=policy)
    assert model.depth() <= (2 if merge_rows_max == 200 else 1)
    assert tidy_task(policy, model.table, FULL, 0) is None


def test_a_damaged_file_is_left_out() -> None:
    files = [(i, list(range(i, 100 + i)), 0) for i in range(1, 13)]
    task = next_task(POLICY, table_of(files), FULL)
    assert task is not None
    assert set(task.file_ids) == set(range(1, 13))
    task = next_task(POLICY, table_of(files), FULL, avoid={3})
    assert task is not None
    assert 3 not in task.file_ids
    assert next_task(POLICY, table_of(files), FULL, avoid=set(range(1, 13))) is None


def test_level_1_below_a_damaged_file_is_not_joined() -> None:
    files = [(i, list(range(i, 60 + i)), 0) for i in range(1, 13)]
    files.append((20, list(range(100)), 1))
    joined = next_task(POLICY, table_of(files), FULL)
    assert joined is not None
    assert (20 in joined.file_ids, joined.level) == (True, 1)
    apart = next_task(POLICY, table_of(files), FULL, avoid={20})
    assert apart is not None
    assert (20 in apart.file_ids, apart.level) == (False, 0)


def test_holes_come_by_level_and_order_comes_first() -> None:
    low = [(1, list(range(100)), 1), (2, list(range(100, 200)), 1), (3, list(range(50)), 0)]
    table = table_of(low, deleted={1: 40, 2: 50, 3: 49})
    task = next_task(POLICY, table, FULL)
    assert task is not None
    assert (task.kind, task.file_ids, task.level) == ("holes", (3,), 0)
    task = next_task(POLICY, table, FULL, avoid={3})
    assert task is not None
    assert (task.kind, task.file_ids, task.level) == ("holes", (2, 1), 1)
    many = [(i, list(range(i, 100 + i)), 0) for i in range(4, 14)]
    task = next_task(POLICY, table_of([*low, *many], deleted={1: 40}), FULL)
    assert task is not None
    assert task.kind == "merge"


def test_files_of_another_order_may_have_rows_anywhere() -> None:
    files = [(i, list(range(i * 100, i * 100 + 90)), 1) for i in range(1, 13)]
    assert next_task(POLICY, table_of(files), FULL) is None
    task = next_task(POLICY, table_of(files, sort=None), FULL)
    assert task is not None
    assert set(task.file_ids) == set(range(1, 13))


@pytest.mark.parametrize("order", [LEXICAL, ZORDER])
def test_asked_for_a_file_of_another_order_is_sorted_by_itself(order: ClusterBy) -> None:
    one = [(1, list(range(60)), 1)]
    assert tidy_task(POLICY, table_of(one, order, order), FULL, 0) is None
    task = tidy_task(POLICY, table_of(one, order, sort=None), FULL, 0)
    assert task is not None
    assert (task.kind, task.file_ids, task.level) == ("merge", (1,), 1)
    assert tidy_task(POLICY, table_of(one, order=None, sort=order), FULL, 0) is None


def test_a_file_of_another_order_that_nothing_can_be_merged_with_is_sorted_by_itself() -> None:
    """It lies above more rows than a task may have."""
    files = [(i, list(range(i * 100, i * 100 + 90)), 1) for i in range(1, 30)]
    table = table_of(files, unsorted={7})
    assert tidy_task(POLICY, table_of(files), FULL, 0) is None
    task = tidy_task(POLICY, table, FULL, 0)
    assert task is not None
    assert (task.file_ids, task.level) == ((7,), 0)


def test_in_z_order_many_files_of_level_0_are_sorted_together_once() -> None:
    few = [(i, list(range(60)), 0) for i in range(1, 9)]
    assert next_task(POLICY, table_of(few, ZORDER, ZORDER), FULL) is None
    many = [*few, (9, list(range(60)), 0), *((i, list(range(100)), 1) for i in range(10, 40))]
    task = next_task(POLICY, table_of(many, ZORDER, ZORDER), FULL)
    assert task is not None
    assert (task.kind, task.file_ids, task.level) == ("merge", tuple(range(1, 10)), 1)


def test_without_an_order_small_neighbours_become_one() -> None:
    small = [(i, list(range(10)), 0) for i in range(1, 9)]
    large = [(i, list(range(90)), 0) for i in range(20, 60)]
    assert next_task(POLICY, table_of([*small[:7], *large], None, None), FULL) is None
    task = next_task(POLICY, table_of([*small, *large], None, None), FULL)
    assert task is not None
    assert task.file_ids == tuple(range(1, 9))
    uneven = [(1, list(range(45)), 0), *((i, [1], 0) for i in range(2, 9))]
    assert next_task(POLICY, table_of(uneven, None, None), FULL) is None  # it has grown once


def test_each_partition_has_a_task_of_its_own() -> None:
    files = [(i, list(range(i, 60 + i)), 0) for i in range(1, 31)]  # ten of each
    table = table_of(files, partitions=3)
    found = list(due_tasks(POLICY, table, FULL))
    assert [task.partition for task in found] == [1, 2, 3]
    for task in found:
        assert {i % 3 for i in task.file_ids} == {task.partition - 1}
    assert list(due_tasks(POLICY, table, FULL, busy={1, 3})) == [found[1]]
    assert list(due_tasks(POLICY, table, FULL, busy={1, 2, 3})) == []
    tidied = [tidy_task(POLICY, table, FULL, partition) for partition in (1, 2, 3, 4)]
    assert [task and set(task.file_ids) for task in tidied] == [
        *({i for i in range(1, 31) if i % 3 == part} for part in range(3)),
        None,
    ]


def test_what_comes_first_in_one_partition_keeps_no_other_waiting() -> None:
    deep = [(i, list(range(i, 60 + i)), 0) for i in range(2, 24, 2)]
    table = table_of(
        [*deep, (1, list(range(50)), 0), (3, list(range(50)), 0)],
        deleted={1: 20, 2: 59, 3: 25},
        partitions=2,
    )
    merge, holes = due_tasks(POLICY, table, FULL)
    assert (merge.kind, merge.partition) == ("merge", 1)
    assert (holes.kind, holes.partition, holes.file_ids) == ("holes", 2, (3, 1))
    policy = CompactionPolicy(holes_max=0.0)
    assert [files_due(policy, table, n) for n in (1, 2, 3)] == [(2,), (3, 1), ()]


@pytest.mark.parametrize(("count", "most"), [(32, 6), (10, 2), (3, 1), (1, 1)])
def test_work_in_many_partitions_is_spread_over_time(count: int, most: int) -> None:
    """Each gets a file with every flush, so all would be too deep with the same one."""
    policy = CompactionPolicy(small_files_max=1 << 30)
    files: dict[int, tuple[list[int], int]] = {}
    numbers = itertools.count(1)
    begun: list[int] = []
    sizes: list[int] = []
    for flush in range(40):
        for part in range(count):
            number = next(n for n in numbers if n % count == part)
            files[number] = ([flush, 1_000 + flush], 0)
        done = 0
        while found := list(due_tasks(policy, at(files, count), FULL)):
            for task in found:
                keys = sorted(k for i in task.file_ids for k in files.pop(i)[0])
                number = next(n for n in numbers if 1 + n % count == task.partition)
                files[number] = (keys, task.level)
                sizes.append(len(task.file_ids))
            done += len(found)
        begun.append(done)
        assert max(depth_of(files, count)) <= policy.depth_max
    assert sum(begun) > 0
    assert max(begun) <= most
    assert sum(sizes) / len(sizes) >= policy.depth_max * 0.75  # they are not the dearer for it


def at(files: dict[int, tuple[list[int], int]], count: int) -> TableState:
    listed = ((number, keys, level) for number, (keys, level) in files.items())
    return table_of(listed, partitions=count)


def depth_of(files: dict[int, tuple[list[int], int]], count: int) -> list[int]:
    parts = at(files, count).files.by_partition().values()
    return [depth_max(part, LEXICAL) for part in parts]
