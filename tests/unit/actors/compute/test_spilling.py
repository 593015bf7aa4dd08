"""A worker whose memory is limited: what spills is counted, and gone when the query is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actors.compute import worker as worker_module
from actors.compute.deltas import DeltaStage
from actors.compute.inputs import scan_input
from actors.compute.worker import Worker
from actors.fragments import Fragment, Output
from storage.errors import InvalidRequest, OutOfMemory
from storage.exports import ExportTarget
from storage.objects import CountingStore, MemoryStore
from storage.schema import Kind, ScalarType
from storage.sources_format import SourceFormat
from storage.spill_space import SpillLimits
from tests.fakes import FakeClock
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    rows_of,
    snapshot_of,
    table_state,
)

TYPES = {"a": ScalarType(kind=Kind.INTEGER), "b": ScalarType(kind=Kind.INTEGER)}
ROWS = [[n, n % 100] for n in range(20_000)]
GROUPS = "SELECT b, count(*) AS n FROM x GROUP BY b ORDER BY b"
PAIRS = "SELECT l.a FROM x l JOIN x r ON l.a = r.a"
FAULTS = "SELECT b, sum(1 / (a - 19999)) FROM x GROUP BY b"
BUDGET = 512 << 20


@pytest.fixture
def database(tmp_path: Path) -> Database:
    deltas = [rows_of(columns_of(TYPES), ROWS)]
    return Database(tmp_path, snapshot_of(table_state(20, "x", TYPES, tmp_path, deltas=deltas)))


@asynccontextmanager
async def opened(directory: Path, spill_bytes_max: int | None = None) -> AsyncIterator[Worker]:
    worker = Worker(
        CountingStore(MemoryStore()),
        FakeClock(),
        cache_directory=directory / "cache",
        cache_bytes=1 << 20,
        spill_bytes_max=spill_bytes_max,
    )
    try:
        yield worker
    finally:
        await worker.close()


def fragment(database: Database, sql: str, **how: object) -> Fragment:
    """Of a query whose worker has a budget, and is told to spill."""
    plan = database.query(sql)
    stage = DeltaStage(lambda rows: rows)
    given: dict[str, object] = {"memory_bytes": BUDGET, "spill": True, **how}
    return Fragment(
        query_id="q",
        attempt=1,
        program=plan.program,
        inputs=tuple(scan_input(scan, stage) for scan in plan.scans),
        **given,  # type: ignore[arg-type]
    )


def spilled_files(directory: Path) -> list[Path]:
    return [path for path in (directory / "cache" / "spill").rglob("*") if path.is_file()]


def test_a_query_that_spills_says_how_much_and_leaves_nothing(
    database: Database, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            result = await worker.execute(fragment(database, GROUPS))
            assert result.rows.column(1).to_pylist() == [200] * 100
            assert result.stats.spilled_bytes > 0
            assert not spilled_files(tmp_path)
            assert not list((tmp_path / "cache" / "spill").iterdir())

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [{"memory_bytes": None}, {"spill": False}])
def test_without_need_nothing_is_written(
    database: Database, tmp_path: Path, how: dict[str, object]
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            result = await worker.execute(fragment(database, GROUPS, **how))
            assert result.rows.num_rows == 100
            assert result.stats.spilled_bytes == 0
            assert not (tmp_path / "cache" / "spill").exists()

    asyncio.run(scenario())


def test_a_query_that_fails_leaves_nothing(database: Database, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            with pytest.raises(InvalidRequest, match="division by zero"):
                await worker.execute(fragment(database, FAULTS))
            assert not spilled_files(tmp_path)

    asyncio.run(scenario())


def test_a_full_disk_budget_is_an_error_and_leaves_nothing(
    database: Database, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, spill_bytes_max=1000) as worker:
            with pytest.raises(OutOfMemory, match="of 1,000 are in use") as raised:
                await worker.execute(fragment(database, GROUPS))
            assert raised.value.sqlstate == "53100"
            assert not spilled_files(tmp_path)
            again = await worker.execute(fragment(database, GROUPS, spill=False))
            assert again.rows.num_rows == 100

    asyncio.run(scenario())


def test_a_stream_keeps_its_files_until_it_is_closed(database: Database, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            async with aclosing(worker.stream(fragment(database, PAIRS))) as batches:
                first = await anext(batches)
                assert first.num_rows
                assert spilled_files(tmp_path)
            assert not spilled_files(tmp_path)
            rows = [batch async for batch in worker.stream(fragment(database, PAIRS))]
            assert sorted(pa.Table.from_batches(rows).column(0).to_pylist()) == list(range(20_000))
            assert not spilled_files(tmp_path)

    asyncio.run(scenario())


def test_an_export_spills(database: Database, tmp_path: Path) -> None:
    url = str(tmp_path / "out.parquet")
    target = ExportTarget(url=url, format=SourceFormat(kind="parquet"), names=("a",))

    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            output = Output(kind="export", export=target)
            sorting = fragment(database, "SELECT a FROM x ORDER BY a DESC", output=output)
            result = await worker.execute(sorting)
            assert result.stats.spilled_bytes > 0
            assert not spilled_files(tmp_path)

    asyncio.run(scenario())
    found = pq.read_table(tmp_path / "out.parquet").column(0).to_pylist()
    assert found == list(range(19_999, -1, -1))


def test_a_result_that_memory_has_no_room_for_is_refused(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "spill_limits", limits_of(100_000))

    async def scenario() -> None:
        async with opened(tmp_path) as worker:
            with pytest.raises(OutOfMemory, match="read them as a stream"):
                await worker.execute(fragment(database, "SELECT a FROM x ORDER BY a"))
            result = await worker.execute(fragment(database, "SELECT a FROM x ORDER BY a LIMIT 3"))
            assert result.rows.column(0).to_pylist() == [0, 1, 2]

    asyncio.run(scenario())


def limits_of(memory_bytes: int) -> Callable[..., SpillLimits]:
    def made(process_bytes: int, disk_bytes: int, *, forced: bool) -> SpillLimits:
        return SpillLimits(memory_bytes=memory_bytes, disk_bytes=disk_bytes, forced=forced)

    return made
