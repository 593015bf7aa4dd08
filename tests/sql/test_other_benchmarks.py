"""Star joins and medians over generated rows, beside what Polars' own operators compute.

Shapes of other benchmarks than TPC-H: the Star Schema Benchmark's, and grouped order statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import warehouse
from warehouse import VirtualWarehouse

ROWS = 2_000


@pytest.fixture(scope="module")
def vw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualWarehouse]:
    with warehouse.connect(str(tmp_path_factory.mktemp("star")), engine="local") as db:
        for name, frame in star().items():
            types = ", ".join(f"{column} BIGINT" for column in frame.columns)
            db.sql(f"CREATE TABLE {name} ({types})")
            path = tmp_path_factory.mktemp("files") / f"{name}.parquet"
            frame.write_parquet(path)
            commit = db.load(name, str(path))
        made = db.create_virtual_warehouse("bi")
        made.sql("SELECT 1", min_lsn=commit.lsn)
        yield made


def rows_of(vw: VirtualWarehouse, sql: str) -> list[tuple[Any, ...]]:
    table = vw.sql(sql).arrow()
    columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    return list(zip(*columns, strict=True))


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


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
        assert all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(row, other, strict=True))
