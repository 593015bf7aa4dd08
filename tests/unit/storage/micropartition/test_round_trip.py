"""Any rows of any schema come back from files, deltas and scans exactly; statistics never lie."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.conform import conform
from storage.delta import decode_rows, encode_rows
from storage.micropartition.carriers import carried, carrier_type, polars_type
from storage.micropartition.reader import ScanDelta, ScanFile, ScanGroup, read, scan
from storage.micropartition.statistics import merge
from storage.micropartition.writer import write
from storage.schema import (
    ArrayType,
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    TableSchema,
    VarCharType,
    arrow_schema,
    is_integer,
)
from storage.snapshot.files import ColumnStatistics, FileRow, FileSet, has_bounds

BITS = {Kind.SMALLINT: 15, Kind.INTEGER: 31, Kind.BIGINT: 63}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)


def integers(bits: int) -> st.SearchStrategy[int]:
    edges = [sign * (1 << b) - off for b in (7, 15, 31, 63) for sign in (1, -1) for off in (0, 1)]
    fitting = [v for v in edges if -(1 << bits) <= v < (1 << bits)]
    return st.integers(-(1 << bits), (1 << bits) - 1) | st.sampled_from(fitting)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    largest = 10**precision - 1

    def of(number: int) -> Decimal:
        digits = tuple(int(digit) for digit in str(abs(number)))
        return Decimal((number < 0, digits, -scale))

    numbers = st.integers(-largest, largest) | st.sampled_from([largest, -largest, 0, -1])
    return numbers.map(of)


SIMPLE: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOLEAN: st.booleans(),
    Kind.REAL: st.floats(width=32),
    Kind.DOUBLE: st.floats(),
    Kind.TEXT: TEXTS | st.sampled_from(["\U0010ffff" * 20, "a" * 64, "ä" * 40]),
    Kind.DATE: st.dates(),
    Kind.TIME: st.times() | st.sampled_from([time.min, time.max]),
    Kind.TIMESTAMP: st.datetimes(),
    Kind.TIMESTAMPTZ: st.datetimes(timezones=st.just(UTC)),
    Kind.INTERVAL: st.fixed_dictionaries(
        {"months": integers(31), "days": integers(31), "microseconds": integers(63)}
    ),
    Kind.BYTEA: st.binary(max_size=80) | st.just(b"\xff" * 70),
    Kind.UUID: st.uuids().map(lambda value: value.bytes),
    Kind.JSON: st.sampled_from(["null", ' {"b":1, "a":[1.50]}', "[]", '"\\u00e4"']),
    Kind.JSONB: st.sampled_from(["null", '{"a": [1.50], "b": 1}', "[]", '"ä"']),
}


def values_of(sql_type: SqlType) -> st.SearchStrategy[Any]:
    match sql_type:
        case DecimalType(precision, scale):
            return decimals(precision, scale)
        case VarCharType(length):
            return st.text(st.characters(codec="utf-8"), max_size=length)
        case CharType(length):
            texts = st.text(st.characters(codec="utf-8"), max_size=length)
            return texts.map(lambda text: text.rstrip(" "))
        case EnumType(_, labels):
            return st.sampled_from(labels)
        case ArrayType(element):
            return st.lists(values_of(element) | st.none(), max_size=4)
        case StructType(_, fields):
            return st.fixed_dictionaries({n: values_of(k) | st.none() for n, k in fields})
        case ScalarType(Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT as kind):
            return integers(BITS[kind])
        case ScalarType(kind):
            return SIMPLE[kind]


def simple_types() -> st.SearchStrategy[SqlType]:
    precisions = st.integers(1, 38).flatmap(
        lambda p: st.builds(DecimalType, precision=st.just(p), scale=st.integers(0, p))
    )
    texts = st.builds(VarCharType, length=st.integers(1, 80))
    padded = st.builds(CharType, length=st.integers(1, 80))
    labels = st.lists(st.text(st.characters(codec="utf-8"), max_size=9), min_size=1, unique=True)
    moods = labels.map(lambda found: EnumType(name="mood", labels=tuple(found)))
    scalars = st.sampled_from([ScalarType(kind=kind) for kind in Kind])
    return scalars | precisions | texts | padded | moods


def composites(parts: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
    """Arrays of what is no array, and composites of anything."""
    fields = st.lists(parts, min_size=1, max_size=3).map(
        lambda kinds: tuple((f"f{number}", kind) for number, kind in enumerate(kinds))
    )
    made = fields.map(lambda found: StructType(name="pair", fields=found))
    elements = parts.filter(lambda kind: not isinstance(kind, ArrayType))
    return made | st.builds(ArrayType, element=elements)


def types() -> st.SearchStrategy[SqlType]:
    return simple_types() | st.recursive(simple_types(), composites, max_leaves=3)


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableSchema, pa.Table]:
    columns = tuple(
        Column(
            id=3 * number + 1, name=f"c{number}", type=draw(types()), nullable=draw(st.booleans())
        )
        for number in range(draw(st.integers(1, 5)))
    )
    schema = TableSchema(version=draw(st.integers(1, 9)), columns=columns)
    count = draw(st.integers(0, 30))
    data = {}
    for column, field in zip(columns, arrow_schema(columns), strict=True):
        one = values_of(column.type)
        one = one | st.none() if column.nullable else one
        data[column.name] = pa.array(
            draw(st.lists(one, min_size=count, max_size=count)), field.type
        )
    return schema, conform(pa.table(data), schema, "t")


def same(a: list[Any], b: list[Any]) -> bool:
    """Equal values; NaN equals NaN, and zeros have their signs."""
    return [repr(v) for v in a] == [repr(v) for v in b]


def check_bounds(values: list[Any], sql_type: SqlType, found: ColumnStatistics) -> None:
    known = [v for v in values if v is not None]
    numbers = [v for v in known if v == v]  # noqa: PLR0124 - NaN
    assert found.null_count == len(values) - len(known)
    assert found.nan_count == len(known) - len(numbers)
    if isinstance(sql_type, DecimalType) and sql_type.precision <= 18:
        numbers = [int(v.scaleb(sql_type.scale)) for v in numbers]
    summed = is_integer(sql_type) or (
        isinstance(sql_type, DecimalType) and sql_type.precision <= 18
    )
    assert found.sum == (sum(numbers) if summed else None)
    if not numbers or not has_bounds(sql_type):
        assert (found.min, found.max) == (None, None)
        return
    ordered = sorted(numbers, key=lambda v: v.encode() if isinstance(v, str) else v)
    assert found.min <= ordered[0]
    assert found.max is None or found.max >= ordered[-1]
    assert not found.min_exact or found.min == ordered[0]
    assert not found.max_exact or found.max == ordered[-1]
    for bound in (found.min, found.max):
        if isinstance(bound, str | bytes):
            assert len(bound.encode() if isinstance(bound, str) else bound) <= 64


def check_scan(paths: list[Path], table: pa.Table, schema: TableSchema) -> None:
    files = tuple(ScanFile(path=path) for path in paths)
    group = ScanGroup(columns=schema.columns, files=files, deltas=(ScanDelta(rows=table),))
    plain = scan([group], schema.columns).collect()
    assert plain.schema == pl.Schema({c.name: polars_type(c.type) for c in schema.columns})
    found = scan([group], schema.columns, carriers=True).collect()
    assert found.schema == pl.Schema({c.name: carrier_type(c.type) for c in schema.columns})
    for column in schema.columns:
        name = column.name
        expected = carried(table[name], column.type).to_pylist() * 2
        assert same(found[name].to_arrow().to_pylist(), expected)
        if plain.schema[name] != found.schema[name]:
            expected = table[name].to_pylist() * 2
        assert same(plain[name].to_arrow().to_pylist(), expected)


def check_file_set(rows: list[FileRow], schema: TableSchema) -> None:
    files = FileSet.of(rows, schema.columns, first_id=1, lsn=1)
    for column in schema.columns:
        for row, found in zip(rows, files.table.to_pylist(), strict=True):
            known = row.statistics[column.id]
            assert found[f"null_count_{column.id}"] == known.null_count
            assert (f"min_{column.id}" in found) == has_bounds(column.type)
            assert found.get(f"min_{column.id}") == known.min
            total = known.sum
            assert found.get(f"sum_{column.id}") == (None if total is None else Decimal(total))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tables(), st.data())
def test_rows_come_back_exactly(made: tuple[TableSchema, pa.Table], data: st.DataObject) -> None:
    schema, table = made
    cut = data.draw(st.integers(0, table.num_rows))
    parts = [table.slice(0, cut), table.slice(cut)]
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name in ("a", "b")]
        written = [write(p, schema, str(f), f) for p, f in zip(parts, paths, strict=True)]
        for part, path in zip(parts, paths, strict=True):
            found = read(path, schema)
            assert found.schema.equals(table.schema, check_metadata=True)
            for name in schema.names:
                assert same(found[name].to_pylist(), part[name].to_pylist())
        check_scan(paths, table, schema)
    for column in schema.columns:
        for part, row in zip(parts, written, strict=True):
            check_bounds(part[column.name].to_pylist(), column.type, row.statistics[column.id])
        merged = merge(written[0].statistics[column.id], written[1].statistics[column.id])
        check_bounds(table[column.name].to_pylist(), column.type, merged)
    check_file_set(written, schema)
    decoded = decode_rows(encode_rows(table), "delta")
    for name in schema.names:
        assert same(decoded[name].to_pylist(), table[name].to_pylist())


def test_the_strategies_cover_the_calendar() -> None:
    columns = (
        Column(id=1, name="d", type=ScalarType(Kind.DATE)),
        Column(id=2, name="t", type=ScalarType(Kind.TIMESTAMP)),
    )
    values = {"d": [date.min, date.max], "t": [datetime.min, datetime.max]}
    schema = TableSchema(version=1, columns=columns)
    table = conform(pa.table(values), schema, "t")
    with tempfile.TemporaryDirectory() as directory:
        row = write(table, schema, "a", Path(directory) / "a")
        assert read(Path(directory) / "a", schema).to_pydict() == values
    assert (row.statistics[1].min, row.statistics[2].max) == (date.min, datetime.max)
