"""Which files a lookup reads: by the bounds of the key's first column."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pyarrow as pa
import pytest

from actors.compute.lookup import _within_bounds, whole_table
from actors.messages import Lookup
from actors.operations import WriteMode
from storage.schema import Column, DecimalType, Kind, ScalarType, SqlType, arrow_schema
from storage.snapshot.files import FileSet
from tests.unit.actors.primary.keyed import Keyed, NewKey, keyed

KEY = NewKey(name="t_pkey", columns=("k",), primary=True)
DAY, NOON = datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 12)
CASES: list[tuple[SqlType, list[Any]]] = [
    (ScalarType(kind=Kind.BIGINT), list(range(60))),
    (ScalarType(kind=Kind.TEXT), [f"{n:03} cut off somewhere ä" * 9 for n in range(60)]),
    (ScalarType(kind=Kind.DATE), [DAY + datetime.timedelta(n) for n in range(60)]),
    (DecimalType(precision=10, scale=2), [decimal.Decimal(n) / 4 for n in range(60)]),
    (DecimalType(precision=30, scale=2), [decimal.Decimal(n) / 4 for n in range(60)]),
    (ScalarType(kind=Kind.UUID), [bytes([n]) * 16 for n in range(60)]),
    (ScalarType(kind=Kind.DOUBLE), [n / 4 for n in range(60)]),
    (ScalarType(kind=Kind.TIMESTAMP), [NOON + datetime.timedelta(0, n) for n in range(60)]),
    (ScalarType(kind=Kind.BOOLEAN), [False, True]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values"), CASES, ids=lambda value: str(value)[:30])
def test_files_that_have_keys_are_among_them_and_few_others(
    kind: SqlType, values: list[Any]
) -> None:
    values = sorted(set(values))
    third = max(1, len(values) // 3)
    slices = [values[i : i + third] for i in range(0, len(values), third)]

    async def test(db: Keyed) -> None:
        made = await db.files(WriteMode.INSERT, *([(v, "x") for v in part] for part in slices))
        await db.submit(made)
        files, (column, _) = db.table.files, db.table.columns
        ids = files.table["file_id"].to_pylist()

        def kept(*wanted: Any) -> list[int]:
            keys = pa.table({"k": list(wanted)}, schema=arrow_schema((column,)))["k"]
            found: list[int] = _within_bounds(files, column, keys).table["file_id"].to_pylist()
            return found

        for file_id, part in zip(ids, slices, strict=True):
            assert file_id in kept(*part)
            assert file_id in kept(part[-1], values[0])
        assert kept(*values) == ids
        assert kept() == []
        if len(slices) == 3 and has_bounds(files, column):
            assert kept(slices[1][3]) == [ids[1]]
            assert kept(slices[0][0], slices[2][-1]) == [ids[0], ids[2]]

    keyed(test, KEY, columns={"k": kind, "v": ScalarType(kind=Kind.TEXT)})


def has_bounds(files: FileSet, column: Column) -> bool:
    return f"min_{column.id}" in files.table.column_names


def test_names_of_tables_are_quoted() -> None:
    found = whole_table(Lookup(schema="s", table='a"b', keys=[]))
    assert found.sql == 'SELECT * FROM "s"."a""b"'
