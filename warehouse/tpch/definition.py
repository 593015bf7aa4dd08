"""The eight tables of TPC-H and its 22 queries.

Columns have the types of the Parquet files that `tpchgen-cli` writes: keys are BIGINT, small
numbers INTEGER, money DECIMAL(15,2). No column is ever NULL. `lineitem` and `orders` are clustered
by the dates that the queries filter on.
"""

from __future__ import annotations

from importlib.resources import files

__all__ = ["QUERY_COUNT", "TABLES", "queries", "schema_sql"]

QUERY_COUNT = 22

_COLUMNS = {
    "region": "r_regionkey BIGINT, r_name TEXT, r_comment TEXT",
    "nation": "n_nationkey BIGINT, n_name TEXT, n_regionkey BIGINT, n_comment TEXT",
    "supplier": (
        "s_suppkey BIGINT, s_name TEXT, s_address TEXT, s_nationkey BIGINT, s_phone TEXT, "
        "s_acctbal DECIMAL(15,2), s_comment TEXT"
    ),
    "customer": (
        "c_custkey BIGINT, c_name TEXT, c_address TEXT, c_nationkey BIGINT, c_phone TEXT, "
        "c_acctbal DECIMAL(15,2), c_mktsegment TEXT, c_comment TEXT"
    ),
    "part": (
        "p_partkey BIGINT, p_name TEXT, p_mfgr TEXT, p_brand TEXT, p_type TEXT, p_size INTEGER, "
        "p_container TEXT, p_retailprice DECIMAL(15,2), p_comment TEXT"
    ),
    "partsupp": (
        "ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INTEGER, "
        "ps_supplycost DECIMAL(15,2), ps_comment TEXT"
    ),
    "orders": (
        "o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus TEXT, o_totalprice DECIMAL(15,2), "
        "o_orderdate DATE, o_orderpriority TEXT, o_clerk TEXT, o_shippriority INTEGER, "
        "o_comment TEXT"
    ),
    "lineitem": (
        "l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INTEGER, "
        "l_quantity DECIMAL(15,2), l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2), "
        "l_tax DECIMAL(15,2), l_returnflag TEXT, l_linestatus TEXT, l_shipdate DATE, "
        "l_commitdate DATE, l_receiptdate DATE, l_shipinstruct TEXT, l_shipmode TEXT, "
        "l_comment TEXT"
    ),
}

_CLUSTER_BY = {"orders": "o_orderdate", "lineitem": "l_shipdate"}

TABLES: tuple[str, ...] = tuple(_COLUMNS)
"""Names of the tables, small ones first, a referenced table always before the one that refers."""


def queries() -> dict[int, str]:
    """Text of the queries by number, 1..22, in PostgreSQL's SQL without a closing semicolon."""
    folder = files("warehouse.tpch") / "queries"
    return {
        number: (folder / f"q{number:02}.sql").read_text(encoding="utf-8").rstrip().rstrip(";")
        for number in range(1, QUERY_COUNT + 1)
    }


def schema_sql(clustered: bool = True, *, micropartition_rows: int | None = None) -> list[str]:
    """CREATE TABLE statements, one for each of `TABLES` and in that order.

    Args:
        clustered: whether `lineitem` and `orders` get their CLUSTER BY.
        micropartition_rows: rows of one micropartition, as a table option; None leaves the default.
    """
    return [_create_table(table, clustered, micropartition_rows) for table in TABLES]


def _create_table(table: str, clustered: bool, micropartition_rows: int | None) -> str:
    columns = ",\n".join(f"    {column} NOT NULL" for column in _COLUMNS[table].split(", "))
    text = f"CREATE TABLE {table} (\n{columns}\n)"
    if clustered and table in _CLUSTER_BY:
        text += f" CLUSTER BY ({_CLUSTER_BY[table]})"
    if micropartition_rows is not None:
        text += f" WITH (micropartition_rows = {micropartition_rows})"
    return text
