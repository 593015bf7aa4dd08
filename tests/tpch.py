"""TPC-H for tests: data at scale factor 0.01, reference answers, exact comparison.

    from tests.tpch import SCALE_FACTOR, answer, assert_same

    def test_query_gives_the_answer_of_duckdb(tpch_directory: Path) -> None:
        ...
        assert_same(result, answer(1))

`tpch_directory` is a session fixture; a `conftest.py` makes it known with
`from tests.tpch import tpch_directory` in its `__all__`, or by `pytest_plugins`. How answers are
compared, and what is normalised away, stands in `warehouse/tpch/answers.py`.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from filelock import FileLock

from warehouse.tpch.answers import Answer, Column, answer_of, difference
from warehouse.tpch.data import generate, generator_version

__all__ = ["SCALE_FACTOR", "answer", "assert_same", "tpch_directory"]

SCALE_FACTOR = 0.01

_ANSWERS = Path(__file__).parent / "data" / "tpch" / "answers" / f"sf{SCALE_FACTOR}"


@pytest.fixture(scope="session")
def tpch_directory() -> Path:
    """A directory with `<table>.parquet` for the eight tables. Shared by all runs: do not write."""
    cache = Path(tempfile.gettempdir()) / f"mobula-tests-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    directory = cache / f"{generator_version().replace(' ', '-')}-sf{SCALE_FACTOR}"
    with FileLock(f"{directory}.lock"):
        generate(directory, SCALE_FACTOR)
    return directory


def answer(number: int) -> Answer:
    """DuckDB's answer to a query at `SCALE_FACTOR`."""
    stored = json.loads((_ANSWERS / f"q{number:02}.json").read_text(encoding="utf-8"))
    return Answer(
        query=number,
        columns=tuple(Column(name=name, type=type_) for name, type_ in stored["columns"]),
        rows=tuple(tuple(row) for row in stored["rows"]),
    )


def assert_same(result: pa.Table, expected: Answer) -> None:
    """Fail with the first difference between a result and the reference answer to that query."""
    apart = difference(answer_of(expected.query, result), expected)
    assert apart is None, f"TPC-H query {expected.query}: {apart}"
