"""Streams of record batches on every engine: their order, bounds, errors and ends."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from storage.errors import InvalidRequest, UnknownObject
from warehouse import Database, RowStream

ROWS = 300_000
WIDE = "SELECT n, repeat('x', 200) || n::text AS t FROM numbers"


@pytest.fixture
def numbers(db: Database) -> Database:
    """The table numbers: n from 0 in a random order."""
    db.sql("CREATE TABLE numbers (n BIGINT)")
    db.table("numbers").append(
        pl.DataFrame({"n": range(ROWS)}).sample(fraction=1, shuffle=True, seed=1)
    )
    return db


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("on", ["primary", "warehouse"])
def test_batches_come_in_the_order_of_the_query(numbers: Database, on: str) -> None:
    target = numbers if on == "primary" else numbers.create_virtual_warehouse("bi")
    stream = target.stream("SELECT n, -n AS n FROM numbers WHERE n >= $1 ORDER BY 1 DESC", [10])
    assert stream.schema.names == ["n", "n"]
    batches = list(stream)
    assert len(batches) > 3
    assert all(batch.schema == stream.schema for batch in batches)
    table = pa.Table.from_batches(batches)
    assert table.column(0).to_pylist() == list(range(ROWS - 1, 9, -1))
    assert stream.read_all().num_rows == 0
    with pytest.raises(StopIteration):
        stream.read_next_batch()


def test_an_empty_result_has_its_schema(numbers: Database) -> None:
    found = numbers.stream("SELECT n, n::numeric(9, 2) AS d FROM numbers WHERE n < 0").read_all()
    assert found.num_rows == 0
    assert found.schema.types == [pa.int64(), pa.decimal128(9, 2)]


def test_what_takes_arrow_streams_takes_ours(numbers: Database) -> None:
    assert pl.DataFrame(numbers.stream("SELECT n FROM numbers")).height == ROWS
    assert pa.table(numbers.stream("SELECT n FROM numbers")).num_rows == ROWS
    reader = numbers.stream("SELECT n FROM numbers").reader()
    assert isinstance(reader, pa.RecordBatchReader)
    assert sum(batch.num_rows for batch in reader) == ROWS


def test_statements_without_a_table_stream_too(numbers: Database) -> None:
    assert numbers.stream("SELECT 1 AS a").read_all().to_pylist() == [{"a": 1}]
    assert numbers.stream("SHOW TABLES").read_all()["table"].to_pylist() == ["numbers"]
    assert numbers.stream("EXPLAIN ANALYZE SELECT n FROM numbers").read_all().num_rows > 1


def test_what_cannot_begin_is_refused_at_once(numbers: Database) -> None:
    with pytest.raises(UnknownObject):
        numbers.stream("SELECT * FROM nothing")
    with pytest.raises(InvalidRequest, match="only queries are streamed"):
        numbers.stream("INSERT INTO numbers VALUES (1)")
    with pytest.raises(InvalidRequest, match="gives no rows"):
        numbers.stream("SET application_name = 'x'")
    bi = numbers.create_virtual_warehouse("bi")
    with pytest.raises(InvalidRequest, match="only reads"):
        bi.stream("DROP TABLE numbers")


def test_an_error_in_the_middle_is_ours_and_frees_the_worker(numbers: Database) -> None:
    stream = numbers.stream("SELECT 1 / (n - 250000) AS x FROM generate_series(1, 300000) AS s(n)")
    with pytest.raises(InvalidRequest, match="division by zero") as found:
        for _ in stream:
            pass
    assert found.value.sqlstate == "22012"
    assert stream.read_all().num_rows == 0
    assert numbers.sql("SELECT count(*) FROM numbers").scalar() == ROWS


@pytest.mark.parametrize("way", ["close", "with", "drop", "unread"])
def test_an_early_end_frees_the_worker(numbers: Database, way: str) -> None:
    stream: RowStream | None = numbers.stream(WIDE)
    assert stream is not None
    if way != "unread":
        assert stream.read_next_batch().num_rows > 0
    match way:
        case "with":
            with stream:
                pass
            assert stream.read_all().num_rows == 0
        case "close":
            stream.close()
            stream.close()
            assert list(stream) == []
        case _:
            stream = None
            gc.collect()
    assert numbers.sql("SELECT count(*) FROM numbers", timeout_s=60).scalar() == ROWS


def test_two_streams_on_two_workers_go_on_together(numbers: Database) -> None:
    bi = numbers.create_virtual_warehouse("bi", size=2, worker_cpus=0.5)
    one, two = bi.stream(WIDE + " ORDER BY n"), bi.stream(WIDE + " ORDER BY n DESC")
    assert one.read_next_batch()["n"][0].as_py() == 0
    assert two.read_next_batch()["n"][0].as_py() == ROWS - 1
    assert one.read_next_batch()["n"][0].as_py() < two.read_next_batch()["n"][0].as_py()
    one.close()
    two.close()


def test_few_batches_are_alive_at_once(numbers: Database) -> None:
    stream = numbers.stream(WIDE)
    batch = stream.read_next_batch()
    gc.collect()
    before, size, most, total = pa.total_allocated_bytes(), batch.nbytes, 0, 0
    for batch in stream:
        total += batch.nbytes
        most = max(most, pa.total_allocated_bytes() - before)
    assert total > 8 * size
    assert most <= 3 * size


@pytest.mark.slow
def test_two_gigabytes_pass_through_a_small_process(db: Database) -> None:
    rows = 10_000_000
    db.sql("CREATE TABLE numbers (n BIGINT)")
    db.table("numbers").append(pl.DataFrame({"n": range(rows)}))
    db.stream(WIDE + " WHERE n < 100000").read_all()
    before, most, total, count = resident_bytes(), 0, 0, 0
    for batch in db.stream(WIDE):
        assert batch["n"][0].as_py() == count
        count += batch.num_rows
        total += batch.nbytes
        most = max(most, resident_bytes() - before)
        time.sleep(0.001)  # a reader slower than the worker
    assert count == rows
    assert total > 2_000_000_000
    assert most < 400_000_000
