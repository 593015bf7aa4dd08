"""All 22 TPC-H queries give DuckDB's answers, DECIMAL digits included, wherever they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import warehouse
from tests.s3_server import S3Server, moto_server
from tests.tpch import answer, assert_same
from warehouse import Database, VirtualWarehouse, tpch

QUERIES = tpch.queries()
BUCKET = "mobula-tpch"

Open = Callable[[str, str], Database]


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        server.make_bucket(BUCKET)
        yield server


def _loaded(db: Database, directory: Path, *, rows: int) -> VirtualWarehouse:
    """A virtual warehouse over TPC-H in micropartitions of at most `rows`; the last table's last
    row comes as a delta, so that both forms are read."""
    for statement in tpch.schema_sql(micropartition_rows=rows):
        db.sql(statement)
    for table in tpch.TABLES:
        commit = db.load(table, str(directory / f"{table}.parquet"))
    made = db.create_virtual_warehouse("bi", worker_cpus=0.5)
    made.sql("SELECT 1", min_lsn=commit.lsn)
    return made


@pytest.fixture(scope="module")
def local_directory(
    tmp_path_factory: pytest.TempPathFactory, tpch_directory: Path
) -> Iterator[VirtualWarehouse]:
    with warehouse.connect(str(tmp_path_factory.mktemp("tpch")), engine="local") as db:
        yield _loaded(db, tpch_directory, rows=7_000)


@pytest.fixture(scope="module")
def local_s3(moto: S3Server, tpch_directory: Path) -> Iterator[VirtualWarehouse]:
    root = f"s3://{BUCKET}/{uuid4().hex}"
    with warehouse.connect(root, engine="local", store=moto.options()) as db:
        yield _loaded(db, tpch_directory, rows=20_000)


@pytest.fixture(scope="module")
def ray_directory(
    ray_cluster: None, tmp_path_factory: pytest.TempPathFactory, tpch_directory: Path
) -> Iterator[VirtualWarehouse]:
    db = warehouse.connect(str(tmp_path_factory.mktemp("tpch")), engine="ray")
    yield _loaded(db, tpch_directory, rows=20_000)
    db.shutdown()


@pytest.fixture(scope="module")
def ray_s3(ray_cluster: None, moto: S3Server, tpch_directory: Path) -> Iterator[VirtualWarehouse]:
    root = f"s3://{BUCKET}/{uuid4().hex}"
    db = warehouse.connect(root, engine="ray", store=moto.options())
    yield _loaded(db, tpch_directory, rows=20_000)
    db.shutdown()


@pytest.mark.parametrize("number", QUERIES)
@pytest.mark.parametrize(
    "place",
    [
        "local_directory",
        "local_s3",
        pytest.param("ray_directory", marks=pytest.mark.ray),
        pytest.param("ray_s3", marks=[pytest.mark.ray, pytest.mark.slow]),
    ],
)
def test_query_gives_the_answer_of_duckdb(
    place: str, number: int, request: pytest.FixtureRequest
) -> None:
    vw: VirtualWarehouse = request.getfixturevalue(place)
    result = vw.sql(QUERIES[number])
    assert_same(result.arrow(), answer(number))
    assert result.stats.files_scanned <= result.stats.files_total


def test_pruning_reads_less_than_everything(local_directory: VirtualWarehouse) -> None:
    """Q6 reads one year of seven; lineitem is clustered by that date."""
    stats = local_directory.sql(QUERIES[6]).stats
    assert stats.files_scanned <= stats.files_total // 4
    assert stats.files_total >= 8
