"""TPC-H support: the data, the queries, and a comparison that sees every digit."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import InvalidRequest
from tests.tpch import SCALE_FACTOR, answer, assert_same, tpch_directory
from warehouse.tpch import TABLES, generate, queries, schema_sql
from warehouse.tpch.answers import Answer, Column, answer_of, difference

__all__ = ["tpch_directory"]


def _expected(*rows: tuple[str | None, ...], query: int = 6, types: tuple[str, ...]) -> Answer:
    columns = tuple(Column(name=f"c{at}", type=type_) for at, type_ in enumerate(types))
    return Answer(query=query, columns=columns, rows=rows)


@pytest.mark.parametrize("number", range(1, 23))
def test_reference_answer_is_that_of_an_independent_engine(
    number: int, tpch_directory: Path
) -> None:
    frames = {table: pl.scan_parquet(tpch_directory / f"{table}.parquet") for table in TABLES}
    result = pl.SQLContext(frames).execute(queries()[number]).collect(engine="streaming")
    assert_same(result.to_arrow(), answer(number))


def test_schema_has_the_columns_of_the_generated_files(tpch_directory: Path) -> None:
    types = {"BIGINT": "int64", "INTEGER": "int32", "DATE": "date32[day]", "TEXT": "string_view"}
    for table, statement in zip(TABLES, schema_sql(), strict=True):
        fields = pq.read_schema(tpch_directory / f"{table}.parquet")
        lines = [line.strip().rstrip(",") for line in statement.splitlines()[1:-1]]
        found = [tuple(line.removesuffix(" NOT NULL").split(" ")) for line in lines]
        wanted = [(field.name, str(field.type)) for field in fields]
        assert [(name, types.get(type_, "decimal128(15, 2)")) for name, type_ in found] == wanted


def test_schema_options_are_said_only_when_asked_for() -> None:
    clustered = schema_sql(micropartition_rows=5000)
    assert clustered[-1].endswith(") CLUSTER BY (l_shipdate) WITH (micropartition_rows = 5000)")
    assert clustered[-2].endswith(") CLUSTER BY (o_orderdate) WITH (micropartition_rows = 5000)")
    assert not any("CLUSTER" in text or "WITH" in text for text in schema_sql(clustered=False))


def test_generation_is_skipped_when_complete_and_resumed_when_not(tmp_path: Path) -> None:
    paths = generate(tmp_path, SCALE_FACTOR)
    made = {table: path.stat().st_mtime_ns for table, path in paths.items()}
    assert generate(tmp_path, SCALE_FACTOR) == paths
    assert {table: path.stat().st_mtime_ns for table, path in paths.items()} == made
    paths["nation"].unlink()
    assert generate(tmp_path, SCALE_FACTOR)["nation"].exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"{table}.parquet" for table in TABLES] + ["tpch.json"]
    )


def test_a_directory_of_another_scale_factor_is_refused_and_kept(tmp_path: Path) -> None:
    generate(tmp_path, SCALE_FACTOR)
    with pytest.raises(InvalidRequest, match=r"expected TPC-H data of .*0\.02.*, found .*0\.01"):
        generate(tmp_path, 0.02)
    assert json.loads((tmp_path / "tpch.json").read_text())["scale_factor"] == SCALE_FACTOR


@pytest.mark.parametrize("scale_factor", [0, -1])
def test_scale_factor_must_be_positive(scale_factor: float, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="above 0"):
        generate(tmp_path / "none", scale_factor)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("column", "types", "value"),
    [
        (pa.array([7], pa.int8()), ("BIGINT",), "7"),
        (pa.array([Decimal(7)], pa.decimal128(38, 0)), ("HUGEINT",), "7"),
        (pa.array(["x"], pa.string_view()), ("VARCHAR",), "x"),
        (pa.array(["x"]).dictionary_encode(), ("VARCHAR",), "x"),
        (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), ("DECIMAL(38,2)",), "1.50"),
        (pa.array([0.3]), ("DOUBLE",), "0.30000000000000004"),
        (pa.array([Decimal("0.3333")], pa.decimal128(38, 4)), ("DOUBLE",), "0.3333333333333333"),
        (pa.array([None], pa.float64()), ("DOUBLE",), None),
    ],
)
def test_listed_representations_are_equal(
    column: pa.Array, types: tuple[str, ...], value: str | None
) -> None:
    assert_same(pa.table({"C0": column}), _expected((value,), types=types))


@pytest.mark.parametrize(
    ("column", "types", "value", "message"),
    [
        (pa.array([7]), ("BIGINT",), "8", "expected 8, found 7"),
        (pa.array([7.0]), ("BIGINT",), "7", "expected BIGINT, found DOUBLE"),
        (pa.array(["7"]), ("BIGINT",), "7", "expected BIGINT, found VARCHAR"),
        (
            pa.array([Decimal("1.5")], pa.decimal128(9, 1)),
            ("DECIMAL(38,2)",),
            "1.50",
            "found DECIMAL",
        ),
        (pa.array([Decimal("1.51")], pa.decimal128(9, 2)), ("DECIMAL(9,2)",), "1.50", "1.51"),
        (pa.array([0.3000001]), ("DOUBLE",), "0.3", "expected 0.3, found 0.3000001"),
        (pa.array([None], pa.float64()), ("DOUBLE",), "0.3", "found None"),
        (pa.array([1, 1]), ("BIGINT",), "1", "expected 1 rows, found 2"),
    ],
)
def test_any_other_difference_is_told(
    column: pa.Array, types: tuple[str, ...], value: str, message: str
) -> None:
    found = answer_of(6, pa.table({"c0": column}))
    assert message in str(difference(found, _expected((value,), types=types)))


def test_column_names_count_unless_the_reference_name_is_an_expression() -> None:
    found = answer_of(6, pa.table({"total": [1]}))
    assert difference(found, _expected(("1",), types=("BIGINT",))) == (
        "expected column c0, found total"
    )
    unnamed = Answer(query=6, columns=(Column(name="sum(x)", type="BIGINT"),), rows=(("1",),))
    assert difference(found, unnamed) is None


def test_rows_that_tie_may_swap_and_others_may_not() -> None:
    # Query 11 is ordered by its second column only.
    expected = _expected(("1", "9"), ("2", "9"), ("3", "8"), query=11, types=("BIGINT", "BIGINT"))

    def found(*keys: int) -> Answer:
        return answer_of(11, pa.table({"c0": keys, "c1": [{3: 8}.get(key, 9) for key in keys]}))

    assert difference(found(2, 1, 3), expected) is None
    assert difference(found(1, 3, 2), expected) == "row 1, column c1: expected 9, found 8"
    assert difference(found(1, 1, 3), expected) == "sorted row 1, column c0: expected 2, found 1"
