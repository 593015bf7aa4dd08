"""Which rows travel in the log, and which as files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import warehouse
from actors import write
from actors.messages import TableInfo
from actors.operations import AppendFiles, AppendRows, WriteOperation
from storage.ingest import IngestedFile, write_table
from storage.micropartition.writer import ROWS_MAX
from storage.objects import MemoryStore
from storage.schema import Column, Kind, ScalarType, TableSchema
from storage.target import IngestTarget
from tests.fakes import CountedIds

SCHEMA = TableSchema(
    version=1, columns=(Column(id=1, name="b", type=ScalarType(kind=Kind.BOOLEAN)),)
)
INFO = TableInfo(
    table_id=2, target=IngestTarget(table_name="t", schema=SCHEMA, name_prefix="data/main-1-")
)


class _Here:
    """An `Ingest` of rows alone."""

    async def rows(
        self, rows: pa.Table, target: IngestTarget, progress: object = None
    ) -> list[IngestedFile]:
        return await write_table(MemoryStore(), rows, target, ids=CountedIds())

    async def sources(self, *args: Any) -> list[IngestedFile]:
        raise AssertionError("there are no sources")


def operation(count: int) -> WriteOperation:
    frame = pa.table({"b": [True] * count})
    return asyncio.run(write.write_operation(_Here(), INFO, frame, inline_bytes_max=1 << 20))


def test_rows_past_what_a_position_can_number_become_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write, "ROWS_MAX", 1000)
    assert isinstance(operation(1000), AppendRows)
    assert isinstance(operation(1001), AppendFiles)


def test_a_column_that_hardly_takes_bytes(tmp_path: Path) -> None:
    """Its rows would fit into the log many times, but not be numbered: they could not go."""
    with warehouse.connect(str(tmp_path), engine="local") as db:
        db.sql("CREATE TABLE t (b BOOLEAN)")
        db.table("t").append(pa.table({"b": np.ones(ROWS_MAX + 1, np.bool_)}))
        db.sql("DELETE FROM t WHERE b")
        assert db.sql("SELECT count(*) FROM t").scalar() == 0
