"""A fresh database for each test, in this process or on the shared Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import warehouse
from warehouse import Database, Settings

Connect = Callable[[], Database]

SMALL = Settings(rows_inline_bytes_max=16 << 10)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "db")


@pytest.fixture
def db(engine: str, root: str) -> Iterator[Database]:
    database = warehouse.connect(root, engine=engine, settings=SMALL)
    yield database
    database.shutdown()
