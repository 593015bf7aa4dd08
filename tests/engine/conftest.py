"""An empty database for each test, in this process or on the shared Ray cluster.

Starting a primary and its compute on Ray takes seconds of two cores, so the tests share a database
there, and each leaves it empty. One that opens or ends databases makes its own at `root`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import warehouse
from storage.snapshot.model import PUBLIC_ID
from tests.ray_cluster import RayCluster
from warehouse import Database, Settings

SMALL = Settings(rows_inline_bytes_max=16 << 10)

# For a test that opens databases of its own: on Ray only `make test-all` runs it.
SELDOM_ON_RAY = pytest.mark.parametrize(
    "engine",
    ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])],
    indirect=True,
)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "db")


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Of the databases that `db` gives. A module with others has a fixture of its own."""
    return SMALL


@pytest.fixture(scope="session")
def ray_root(
    ray_cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Settings], str]]:
    """Where the database on the cluster is that tests with these settings share."""
    roots: list[tuple[Settings, str]] = []

    def found(settings: Settings) -> str:
        known = next((root for of, root in roots if of == settings), None)
        if known is None:
            known = str(tmp_path_factory.mktemp("shared") / "db")
            roots.append((settings, known))
        return known

    yield found
    for settings, root in roots:
        warehouse.connect(root, engine="ray", settings=settings).shutdown()


@pytest.fixture
def db(
    engine: str, root: str, settings: Settings, request: pytest.FixtureRequest
) -> Iterator[Database]:
    shared = engine == "ray"
    place = request.getfixturevalue("ray_root")(settings) if shared else root
    database = warehouse.connect(place, engine=engine, settings=settings)
    yield database
    database.close()
    if shared:
        with warehouse.connect(place, engine=engine, settings=settings) as left:
            empty(left)


def empty(database: Database) -> None:
    """Drop all that tests make."""
    for name in database.virtual_warehouses():
        database.drop_virtual_warehouse(name)
    snapshot = database.snapshot()
    schemas = snapshot.schemas
    for table in snapshot.tables.values():
        database.sql(f'DROP TABLE "{schemas[table.schema_id]}"."{table.name}"')
    for kind in snapshot.types.values():
        database.sql(f'DROP TYPE "{schemas[kind.schema_id]}"."{kind.name}"')
    for schema_id, name in schemas.items():
        if schema_id != PUBLIC_ID:
            database.sql(f'DROP SCHEMA "{name}"')
    left = database.snapshot()
    assert (left.tables, left.types, left.virtual_warehouses) == ({}, {}, {})
