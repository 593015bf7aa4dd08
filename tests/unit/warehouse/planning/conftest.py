"""Two small tables: `items` (in one file and one delta) and `days`."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from storage.schema import DecimalType, Kind, ScalarType, SqlType, VarCharType
from storage.snapshot.changes import ClusterBy
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    rows_of,
    snapshot_of,
    table_state,
)

ITEMS: dict[str, SqlType] = {
    "a": ScalarType(kind=Kind.INTEGER),
    "b": ScalarType(kind=Kind.BIGINT),
    "d": DecimalType(precision=15, scale=2),
    "f": ScalarType(kind=Kind.DOUBLE),
    "s": VarCharType(length=20),
    "t": ScalarType(kind=Kind.DATE),
}
DAYS: dict[str, SqlType] = {
    "t": ScalarType(kind=Kind.DATE),
    "Name": ScalarType(kind=Kind.TEXT),
    "a": ScalarType(kind=Kind.INTEGER),
}
JAN = datetime.date(2026, 1, 1)
FEB = datetime.date(2026, 2, 1)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    columns = columns_of(ITEMS)
    stored = rows_of(
        columns,
        [
            (2_000_000_000, 2**62, Decimal("1.25"), 1.5, "apple", JAN),
            (2_000_000_000, 2**62, Decimal("-2.55"), 2.5, "banana", FEB),
        ],
    )
    fresh = rows_of(columns, [(-7, 3, None, None, None, JAN)])
    items = table_state(
        2,
        "items",
        ITEMS,
        tmp_path,
        files=[stored],
        deltas=[fresh],
        cluster_by=ClusterBy(column_ids=(6, 1)),
    )
    days = table_state(
        3, "days", DAYS, tmp_path, files=[rows_of(columns_of(DAYS), [(JAN, "new year", 1)])]
    )
    return Database(tmp_path, snapshot_of(items, days, lsn=7))
