"""Rows become micropartitions in a store: cut, sorted, in parallel, all or an error."""

from __future__ import annotations

import asyncio
import itertools
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.conform import conform
from storage.errors import InternalError, InvalidRequest, Unavailable
from storage.ingest import load_file, split, write_table
from storage.micropartition.reader import read
from storage.objects.memory import MemoryStore
from storage.schema import Column, DecimalType, Kind, ScalarType, TableSchema
from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import FileRow
from storage.target import IngestTarget

SCHEMA = TableSchema(
    version=2,
    columns=(
        Column(id=1, name="id", type=ScalarType(Kind.BIGINT), nullable=False),
        Column(id=2, name="text", type=ScalarType(Kind.TEXT)),
        Column(id=3, name="amount", type=DecimalType(precision=12, scale=2)),
    ),
)
BY_ID = ClusterBy(column_ids=(1,))


class Counter:
    """Names that repeat with every test."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def new(self) -> str:
        return f"{next(self._numbers):032x}"


class FailingStore(MemoryStore):
    """Takes so many files and then no more."""

    def __init__(self, files: int) -> None:
        super().__init__()
        self.left = files

    async def put_file(self, name: str, path: Path) -> None:
        if self.left == 0:
            raise Unavailable(f"{name}: the store is full")
        self.left -= 1
        await super().put_file(name, path)


def target(
    *, cluster_by: ClusterBy | None = None, rows_max: int | str | None = None
) -> IngestTarget:
    options = {} if rows_max is None else {"micropartition_rows": rows_max}
    return IngestTarget(
        table_name="t",
        schema=SCHEMA,
        name_prefix="data/main-7-",
        cluster_by=cluster_by,
        options=options,
    )


def rows(count: int) -> pa.Table:
    ids = np.random.default_rng(1).permutation(count)
    texts = [None if i % 7 == 0 else f"text {i}" for i in ids]
    return conform(pa.table({"id": ids, "text": texts, "amount": ids}), SCHEMA, "t")


def stored(store: MemoryStore, row: FileRow, tmp_path: Path) -> pa.Table:
    path = tmp_path / row.checksum
    path.unlink(missing_ok=True)
    asyncio.run(store.fetch(row.name, path))
    return read(path, SCHEMA, row.name)


# --- cutting --------------------------------------------------------------------------------------


def test_slices_are_nearly_equal_and_keep_the_order() -> None:
    slices = split(rows(10), SCHEMA, rows_max=4)
    assert [s.num_rows for s in slices] == [3, 3, 4]
    assert pa.concat_tables(slices).equals(rows(10))
    assert split(rows(0), SCHEMA) == []
    assert [s.num_rows for s in split(rows(5), SCHEMA, rows_max=1)] == [1] * 5


def test_clustered_rows_are_sorted_over_all_slices() -> None:
    slices = split(rows(100), SCHEMA, BY_ID, rows_max=30)
    assert pa.concat_tables(slices)["id"].to_pylist() == list(range(100))
    with pytest.raises(InternalError, match="not all exist"):
        split(rows(1), SCHEMA, ClusterBy(column_ids=(9,)))


def test_files_stay_near_the_byte_limit() -> None:
    table = rows(50_000)
    whole = asyncio.run(write_table(MemoryStore(), table, target(), ids=Counter()))
    limit = whole[0].row.size_bytes // 4
    slices = split(table, SCHEMA, bytes_max=limit)
    assert 4 <= len(slices) <= 6
    assert len(split(table, SCHEMA, bytes_max=1)) == table.num_rows


@pytest.mark.parametrize("found", [0, -1, (1 << 21) + 1, "many"])
def test_the_row_limit_option_is_checked(found: int | str) -> None:
    with pytest.raises(InvalidRequest, match=f"table t: micropartition_rows is {found!r}"):
        _ = target(rows_max=found).rows_max


def test_a_target_travels_between_processes() -> None:
    found = target(cluster_by=BY_ID, rows_max=5)
    assert pickle.loads(pickle.dumps(found)) == found


# --- writing --------------------------------------------------------------------------------------


def test_rows_are_written_and_named_for_the_reign(tmp_path: Path) -> None:
    store = MemoryStore()
    done: list[int] = []
    files = asyncio.run(
        write_table(
            store,
            rows(100),
            target(cluster_by=BY_ID, rows_max=30),
            ids=Counter(),
            scratch=tmp_path,
            progress=done.append,
        )
    )
    found = [file.row for file in files]
    assert [row.row_count for row in found] == [25] * 4
    assert all(row.name.startswith("data/main-7-0000") for row in found)
    assert len({row.name for row in found}) == 4
    assert sorted(done) == [25, 50, 75, 100]
    assert list(tmp_path.iterdir()) == []
    assert [row.statistics[1].min for row in found] == [0, 25, 50, 75]
    ids = [i for row in found for i in stored(store, row, tmp_path)["id"].to_pylist()]
    assert ids == list(range(100))


def test_no_rows_make_no_file() -> None:
    assert asyncio.run(write_table(MemoryStore(), rows(0), target(), ids=Counter())) == []


@pytest.mark.parametrize("encoders", [1, 3, 8])
def test_a_failing_store_fails_the_call_and_leaves_no_temporary_file(
    tmp_path: Path, encoders: int
) -> None:
    store = FailingStore(2)
    call = write_table(
        store, rows(100), target(rows_max=10), ids=Counter(), encoders=encoders, scratch=tmp_path
    )
    with pytest.raises(Unavailable, match="the store is full"):
        asyncio.run(call)
    assert list(tmp_path.iterdir()) == []


# --- loading --------------------------------------------------------------------------------------


def test_a_file_is_loaded_in_bounded_buffers(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(rows(1000), source, row_group_size=100)
    store, done = MemoryStore(), list[int]()
    files = asyncio.run(
        load_file(
            store,
            str(source),
            target(cluster_by=BY_ID),
            ids=Counter(),
            buffer_bytes=rows(1000).nbytes // 3,
            progress=done.append,
        )
    )
    found = [file.row for file in files]
    assert 3 <= len(found) <= 4
    assert done[-1] == sum(row.row_count for row in found) == 1000
    tables = [stored(store, row, tmp_path) for row in found]
    for table in tables:
        assert table["id"].to_pylist() == sorted(table["id"].to_pylist())
    assert pa.concat_tables(tables).sort_by("id").equals(rows(1000).sort_by("id"))


def test_unclustered_loads_cut_at_full_micropartitions(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(rows(1000), source, row_group_size=100)
    store = MemoryStore()
    files = asyncio.run(load_file(store, str(source), target(rows_max=300), ids=Counter()))
    found = [file.row for file in files]
    assert [row.row_count for row in found] == [300, 300, 300, 100]
    tables = [stored(store, row, tmp_path) for row in found]
    assert pa.concat_tables(tables).equals(rows(1000))


def test_an_empty_source_makes_no_file(tmp_path: Path) -> None:
    pq.write_table(rows(0), tmp_path / "in.parquet")
    url = str(tmp_path / "in.parquet")
    assert asyncio.run(load_file(MemoryStore(), url, target(), ids=Counter())) == []


def test_rows_that_do_not_fit_are_named_with_file_and_batch(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": [*range(100), 1, None]}), source, row_group_size=100)
    with pytest.raises(InvalidRequest, match=r"batch from row 100: table t, column id: .* row 1 "):
        asyncio.run(load_file(MemoryStore(), str(source), target(), ids=Counter()))
    with pytest.raises(InvalidRequest, match="absent: there is no such file"):
        asyncio.run(load_file(MemoryStore(), f"{tmp_path}/absent", target(), ids=Counter()))
