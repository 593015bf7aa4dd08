"""What is known of columns is true of every row, and unknown where a file does not say."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.micropartition.writer import write
from storage.schema import Column, DecimalType, Kind, ScalarType, TableSchema, arrow_schema
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.ranges import ColumnRange, column_ranges, row_ranges

ID = Column(id=1, name="id", type=ScalarType(kind=Kind.BIGINT), nullable=False)
MONEY = Column(id=2, name="money", type=DecimalType(precision=9, scale=2))
TEXT = Column(id=3, name="text", type=ScalarType(kind=Kind.TEXT))
WIDE = Column(id=4, name="wide", type=DecimalType(precision=30, scale=2))
LATER = Column(id=5, name="later", type=ScalarType(kind=Kind.INTEGER))
OLD = (ID, MONEY, TEXT, WIDE)
NEW = (*OLD, LATER)
SCHEMAS = {1: OLD, 2: NEW}


def rows(columns: tuple[Column, ...], *values: tuple[Any, ...]) -> pa.Table:
    schema = arrow_schema(columns)
    arrays = [
        pa.array([value[i] for value in values], field.type) for i, field in enumerate(schema)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def row(*values: Any) -> tuple[Any, ...]:
    identity, money, text, *rest = values
    return (identity, None if money is None else Decimal(money), text, Decimal(1), *rest)


def files(directory: Path, *tables: pa.Table) -> FileSet:
    written: list[FileRow] = []
    for number, table in enumerate(tables):
        version = 1 if table.num_columns == len(OLD) else 2
        schema = TableSchema(version=version, columns=SCHEMAS[version])
        written.append(write(table, schema, f"f{number}", directory / f"f{number}"))
    return FileSet.of(written, NEW, first_id=1, lsn=1)


def test_files_and_deltas_are_taken_together(tmp_path: Path) -> None:
    known = files(tmp_path, rows(OLD, row(5, "1.00", "a"), row(-7, "-2.00", "b")))
    delta = rows(OLD, row(100, None, "c"))
    runs = [(1, row_ranges(delta, OLD))]
    assert column_ranges(known, [], OLD, SCHEMAS) == {
        1: ColumnRange(-7, 5, False),
        2: ColumnRange(-200, 100, False),
        3: ColumnRange(None, None, False),
        4: ColumnRange(None, None, False),
    }
    assert column_ranges(known, runs, OLD, SCHEMAS) == {
        1: ColumnRange(-7, 100, False),
        2: ColumnRange(-200, 100, True),
        3: ColumnRange(None, None, False),
        4: ColumnRange(None, None, False),
    }


def test_nothing_to_read_has_no_value_and_no_null() -> None:
    found = column_ranges(FileSet.empty(), [], NEW, {})
    assert found[1] == ColumnRange(0, 0, False)
    assert found[3] == ColumnRange(None, None, False)


def test_only_nulls_are_no_value_and_do_not_widen_others(tmp_path: Path) -> None:
    nulls = rows(OLD, row(9, None, None))
    known = files(tmp_path, nulls)
    assert column_ranges(known, [], (MONEY,), SCHEMAS) == {2: ColumnRange(0, 0, True)}
    delta = rows(OLD, row(9, "7.00", "x"))
    runs = [(1, row_ranges(nulls, OLD)), (1, row_ranges(delta, OLD))]
    assert column_ranges(known, runs, (MONEY,), SCHEMAS) == {2: ColumnRange(700, 700, True)}


def test_a_column_is_null_in_versions_without_it(tmp_path: Path) -> None:
    older, newer = rows(OLD, row(1, "1.00", "a")), rows(NEW, row(2, "1.00", "a", 70))
    known = files(tmp_path, older, newer)
    assert column_ranges(known, [], (LATER,), SCHEMAS) == {5: ColumnRange(70, 70, True)}
    assert column_ranges(files(tmp_path, older), [], (LATER,), SCHEMAS) == {
        5: ColumnRange(0, 0, True)
    }
    alone = files(tmp_path, newer)
    assert column_ranges(alone, [], (LATER,), SCHEMAS) == {5: ColumnRange(70, 70, False)}
    runs = [(1, row_ranges(older, OLD))]
    assert column_ranges(alone, runs, (LATER,), SCHEMAS) == {5: ColumnRange(70, 70, True)}


def test_a_file_without_statistics_makes_its_columns_unknown(tmp_path: Path) -> None:
    full = files(tmp_path, rows(OLD, row(1, "1.00", "a")))
    silent = FileSet(full.table.drop_columns([f"null_count_{ID.id}", f"min_{MONEY.id}"]))
    found = column_ranges(silent, [], OLD, SCHEMAS)
    assert found[1] == ColumnRange(None, None, True)
    assert found[2] == ColumnRange(None, None, False)
    both = full.added(FileSet(full.table.drop_columns([f"null_count_{ID.id}"])))
    assert column_ranges(both, [], (ID,), SCHEMAS) == {1: ColumnRange(None, None, True)}
    runs = [(1, row_ranges(rows(OLD, row(1, "1.00", "a")), OLD))]
    assert column_ranges(both, runs, (ID,), SCHEMAS) == {1: ColumnRange(None, None, True)}


def test_file_ranges_are_computed_once_for_a_file_set(tmp_path: Path) -> None:
    known = files(tmp_path, rows(OLD, row(1, "1.00", "a")))
    first = column_ranges(known, [], OLD, SCHEMAS)
    assert set(known.memo) == {1, 2, 3, 4}
    assert column_ranges(known, [], OLD, SCHEMAS) == first
    assert known == FileSet(known.table)


def test_the_extremes_of_64_bits_are_kept(tmp_path: Path) -> None:
    low, high = -(2**63), 2**63 - 1
    known = files(tmp_path, rows(OLD, row(low, "0.00", "a"), row(high, "0.00", "a")))
    assert column_ranges(known, [], (ID,), SCHEMAS) == {1: ColumnRange(low, high, False)}


def test_random_splits_never_exclude_a_value(tmp_path: Path) -> None:
    seed = 20260301
    generator = random.Random(seed)
    for _ in range(20):
        values = [
            row(generator.randint(-(2**40), 2**40), generator.choice([None, "1.50", "-9.99"]), "x")
            for _ in range(generator.randint(1, 12))
        ]
        cut = generator.randint(0, len(values))
        known = files(tmp_path, rows(OLD, *values[:cut]))
        runs = [(1, row_ranges(rows(OLD, *values[cut:]), OLD))]
        found = column_ranges(known, runs, OLD, SCHEMAS)
        numbers = [value[0] for value in values]
        assert found[1] == ColumnRange(min(numbers), max(numbers), False), seed
        assert found[2].has_null == any(value[1] is None for value in values), seed
