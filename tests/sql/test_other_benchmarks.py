"""Statements of many kinds give PostgreSQL's answers; what is not available says so by name.

`tests/data/statements/*.sql` holds the tables and the statements, each under a comment with its
name; `answers.json` holds the rows, or the SQLSTATE, that PostgreSQL 16 (collation C) gave, and
`0A000` where this version refuses. Answers to star joins and medians over generated rows are
computed here with Polars' own operators.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import warehouse
from storage.errors import MobulaError
from warehouse import VirtualWarehouse
from warehouse.planning.parse import split_statements

DIRECTORY = Path(__file__).parents[1] / "data" / "statements"
ANSWERS: dict[str, dict[str, Any]] = json.loads((DIRECTORY / "answers.json").read_text())
ROWS = 2_000


def statements() -> dict[str, str]:
    """Every statement by its name."""
    found: dict[str, str] = {}
    for path in sorted(DIRECTORY.glob("*.sql")):
        for part in path.read_text().split("\n-- ") if path.name != "tables.sql" else []:
            name, _, sql = part.removeprefix("-- ").partition("\n")
            found[name] = sql.strip().removesuffix(";")
    return found


STATEMENTS = statements()


@pytest.fixture(scope="module")
def vw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualWarehouse]:
    with warehouse.connect(str(tmp_path_factory.mktemp("statements")), engine="local") as db:
        for statement in split_statements((DIRECTORY / "tables.sql").read_text()):
            db.sql(statement)
        for name, frame in star().items():
            types = ", ".join(f"{column} BIGINT" for column in frame.columns)
            db.sql(f"CREATE TABLE {name} ({types})")
            path = tmp_path_factory.mktemp("star") / f"{name}.parquet"
            frame.write_parquet(path)
            commit = db.load(name, str(path))
        made = db.create_virtual_warehouse("bi")
        made.sql("SELECT 1", min_lsn=commit.lsn)
        yield made


def test_every_statement_has_an_answer() -> None:
    assert STATEMENTS.keys() == ANSWERS.keys()


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_gives_the_answer_of_postgresql(name: str, vw: VirtualWarehouse) -> None:
    expected = ANSWERS[name]
    if "error" in expected:
        with pytest.raises(MobulaError) as raised:
            vw.sql(STATEMENTS[name])
        assert raised.value.sqlstate == expected["error"]
        return
    found, wanted = rows_of(vw, STATEMENTS[name]), [tuple(row) for row in expected["rows"]]
    if not expected.get("ordered"):
        found, wanted = sorted(found, key=sort_key), sorted(wanted, key=sort_key)
    assert len(found) == len(wanted)
    for row, other in zip(found, wanted, strict=True):
        assert all(same(a, b) for a, b in zip(row, other, strict=True)), (found, wanted)


def rows_of(vw: VirtualWarehouse, sql: str) -> list[tuple[Any, ...]]:
    table = vw.sql(sql).arrow()
    columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    return list(zip(*columns, strict=True))


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime.date) else value


def same(found: Any, wanted: Any) -> bool:
    numbers = (int, float)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, numbers) and isinstance(wanted, numbers):
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    # `date + interval` is a DATE here and a TIMESTAMP there, and date_trunc of a DATE a TIMESTAMP
    # here and a TIMESTAMPTZ there: docs/sql.md, differences.
    if isinstance(found, str) and isinstance(wanted, str):
        wanted = wanted.removesuffix("+00:00").removesuffix("T00:00:00")
        return bool(found.removesuffix("T00:00:00") == wanted)
    return bool(found == wanted)


def sort_key(row: Sequence[Any]) -> list[tuple[bool, str]]:
    return [
        (value is None, f"{value:.6e}" if isinstance(value, int | float) else str(value))
        for value in row
    ]


# --- generated rows -------------------------------------------------------------------------------


def star() -> dict[str, pl.DataFrame]:
    """A fact table with two dimensions, in the manner of the Star Schema Benchmark."""
    row = pl.int_range(0, ROWS, eager=True)
    facts = {
        "order_day": row * 7919 % 365,
        "order_part": row * 104_729 % 100,
        "quantity": row * 31 % 50 + 1,
        "price": row * 1_299_709 % 10_000,
        "discount": row * 17 % 11,
    }
    part = pl.int_range(0, 100, eager=True)
    day = pl.int_range(0, 365, eager=True)
    return {
        "orders": pl.DataFrame(facts),
        "parts": pl.DataFrame({"part": part, "brand": part % 7, "size": part * 3 % 11}),
        "days": pl.DataFrame({"day": day, "month": day // 31 + 1}),
    }


def test_star_join_gives_what_polars_computes(vw: VirtualWarehouse) -> None:
    found = rows_of(
        vw,
        "SELECT month, brand, sum(price * discount) AS revenue FROM orders, days, parts"
        " WHERE order_day = day AND order_part = part AND discount BETWEEN 1 AND 3"
        " AND quantity < 25 AND (size = 3 OR size = 6) GROUP BY month, brand"
        " ORDER BY month, revenue DESC, brand",
    )
    tables = star()
    joined = tables["orders"].join(tables["days"], left_on="order_day", right_on="day")
    kept = joined.join(tables["parts"], left_on="order_part", right_on="part").filter(
        pl.col("discount").is_between(1, 3)
        & (pl.col("quantity") < 25)
        & pl.col("size").is_in([3, 6])
    )
    revenue = (pl.col("price") * pl.col("discount")).sum().alias("revenue")
    wanted = kept.group_by("month", "brand").agg(revenue)
    wanted = wanted.sort("month", "revenue", "brand", descending=[False, True, False])
    assert len(found) > 20
    assert found == wanted.rows()


def test_medians_give_what_polars_computes(vw: VirtualWarehouse) -> None:
    found = rows_of(
        vw,
        "SELECT order_part, percentile_cont(0.5) WITHIN GROUP (ORDER BY price), var_pop(price)"
        " FROM orders GROUP BY order_part ORDER BY order_part",
    )
    price = pl.col("price").cast(pl.Float64)
    wanted = (
        star()["orders"].group_by("order_part").agg(price.median(), price.var(ddof=0).alias("v"))
    )
    for row, other in zip(found, wanted.sort("order_part").rows(), strict=True):
        assert all(same(a, b) for a, b in zip(row, other, strict=True))
