"""Join order: the graph on made-up estimates, the estimates on made-up statistics, and the tree."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.schema import DecimalType, Kind, ScalarType, SqlType, TableSchema
from storage.snapshot.files import ColumnStatistics, FileRow, FileSet
from storage.snapshot.model import PUBLIC_ID, Delta, TableState
from tests.unit.warehouse.optimizer.statements import (
    bound,
    conditions_of,
    first,
    group_of,
    joins_of,
    leaf_names,
    optimised,
)
from tests.unit.warehouse.planning.database import Database, columns_of, snapshot_of
from warehouse.algebra.relations import Filter, Join, Scan
from warehouse.optimizer.cardinality import Estimate
from warehouse.optimizer.estimates import Estimator
from warehouse.optimizer.fold import folded_query
from warehouse.optimizer.join_graph import EXACT_MAX, JoinGraph, JoinKey
from warehouse.optimizer.pushdown import pushed_down

BIGINT = ScalarType(kind=Kind.BIGINT)
DATE = ScalarType(kind=Kind.DATE)
TEXT = ScalarType(kind=Kind.TEXT)
DAY = datetime.date(2026, 1, 1)

Range = tuple[Any, Any]


def column(name: str) -> int:
    """A column's id, by its name."""
    return int.from_bytes(name.encode())


def relation(rows: float, rows_total: float | None = None, **distinct: float) -> Estimate:
    known = {column(name): count for name, count in distinct.items()}
    return Estimate(rows=rows, rows_total=rows_total or rows, distinct=known)


def one_class(**members: str) -> dict[int, tuple[int, ...]]:
    return {int(position[1:]): (column(name),) for position, name in members.items()}


def synthetic(
    table_id: int,
    name: str,
    types: Mapping[str, SqlType],
    files: list[tuple[int, Mapping[str, Range]]],
    delta_rows: int = 0,
) -> TableState:
    """A table of files that exist as statistics only: (rows, ranges by column)."""
    columns = columns_of(types)
    ids = {column.name: column.id for column in columns}
    rows = [
        FileRow(
            name=f"{name}-{number}",
            checksum="0" * 32,
            size_bytes=1,
            tail_bytes=1,
            row_count=row_count,
            stripe_count=1,
            schema_version=1,
            level=0,
            partition=None,
            statistics={
                ids[column]: ColumnStatistics(min=low, max=high, null_count=row_count // 10)
                for column, (low, high) in ranges.items()
            },
        )
        for number, (row_count, ranges) in enumerate(files)
    ]
    delta = Delta(id=99, lsn=1, schema_version=1, row_count=delta_rows, rows=b"")
    return TableState(
        id=table_id,
        schema_id=PUBLIC_ID,
        name=name,
        schemas=(TableSchema(version=1, columns=columns),),
        next_column_id=len(columns) + 1,
        next_file_id=len(rows) + 1,
        files=FileSet.of(rows, columns, first_id=1, lsn=1) if rows else FileSet.empty(),
        deltas=(delta,) if delta_rows else (),
    )


def dimension(table_id: int, name: str, rows: int) -> TableState:
    types: dict[str, SqlType] = {"id": BIGINT, "kind": BIGINT, "parent": BIGINT, "name": TEXT}
    ranges: dict[str, Range] = {"id": (1, rows), "kind": (1, 100), "parent": (1, 25)}
    return synthetic(table_id, name, types, [(rows, ranges)])


@pytest.fixture
def star(tmp_path: Path) -> Database:
    """`facts` with keys of `stores` (1,000), `goods` (10,000) and `regions` (25) by `stores`."""
    types: dict[str, SqlType] = {"store": BIGINT, "good": BIGINT, "day": DATE, "amount": BIGINT}
    ranges: dict[str, Range] = {
        "store": (1, 1_000),
        "good": (1, 10_000),
        "day": (DAY, DAY + datetime.timedelta(days=99)),
    }
    facts = synthetic(2, "facts", types, [(500_000, ranges), (500_000, ranges)])
    others = [
        dimension(3, "stores", 1_000),
        dimension(4, "goods", 10_000),
        dimension(5, "regions", 25),
    ]
    return Database(tmp_path, snapshot_of(facts, *others))


# --- the graph ------------------------------------------------------------------------------------


def test_a_chain_starts_at_its_selective_end() -> None:
    relations = [relation(1e6, k=1e3), relation(1e3, k=1e3, j=10), relation(1, 10, j=10)]
    graph = JoinGraph(relations, [one_class(_0="k", _1="k"), one_class(_1="j", _2="j")])
    assert graph.order() == [1, 2, 0]


def test_a_star_joins_selective_dimensions_first() -> None:
    relations = [
        relation(1e6, a=1e3, b=1e3, c=1e3),
        relation(1e3, k=1e3),
        relation(10, 1e3, k=1e3),
        relation(100, 1e3, k=1e3),
    ]
    classes = [one_class(_0=column, **{f"_{i}": "k"}) for i, column in enumerate("abc", start=1)]
    assert JoinGraph(relations, classes).order() == [0, 2, 3, 1]


def test_a_clique_of_one_class_counts_each_equality_once() -> None:
    graph = JoinGraph([relation(100, k=100)] * 4, [one_class(_0="k", _1="k", _2="k", _3="k")])
    assert graph.order() == [0, 1, 2, 3]
    assert graph.rows(graph.all) == pytest.approx(100)


def test_a_set_has_one_estimate_whatever_leads_to_it() -> None:
    relations = [relation(10.0 ** (i + 1), k=10.0 ** (i + 1), j=5) for i in range(4)]
    classes = [
        one_class(_0="k", _1="k", _2="k"),
        one_class(_0="j", _3="j"),
        one_class(_2="j", _3="k"),
    ]
    graph = JoinGraph(relations, classes)
    final = {graph.cost(order) - graph.cost(order[:-1]) for order in ([0, 1, 2, 3], [3, 2, 1, 0])}
    assert len(final) == 1


def test_keys_of_two_columns_are_no_more_selective_than_the_rows_they_have() -> None:
    detail, pair = relation(6e6, p=2e5, s=1e4), relation(8e5, p=2e5, s=1e4)
    graph = JoinGraph([detail, pair], [one_class(_0="p", _1="p"), one_class(_0="s", _1="s")])
    assert graph.rows(graph.all) == pytest.approx(6e6)


def test_keys_of_two_columns_stay_with_one_relation() -> None:
    relations = [relation(10, p=10), relation(10, p=10, s=10), relation(10, p=10, s=10)]
    classes = [one_class(_0="p", _1="p", _2="p"), one_class(_1="s", _2="s")]
    keys = JoinGraph(relations, classes).keys(2, 0b011)
    assert keys == [
        JoinKey((column("p"),), 1, column("p")),
        JoinKey((column("s"),), 1, column("s")),
    ]


def test_disconnected_sets_follow_each_other_whole() -> None:
    relations = [relation(10, k=10), relation(1e6, k=10), relation(10, k=10), relation(1, k=10)]
    graph = JoinGraph(relations, [one_class(_1="k", _2="k"), one_class(_2="j", _3="k")])
    assert graph.components() == [[1, 2, 3], [0]]
    assert graph.order() == [2, 3, 1, 0]


def test_more_relations_than_are_ordered_exactly_never_make_a_cross_product() -> None:
    count = EXACT_MAX + 5
    relations = [relation(1e6, **{f"k{i}": 1e3 for i in range(count)})]
    relations += [relation(1e3 / (i + 1), 1e3, k=1e3) for i in range(count)]
    classes = [one_class(_0=f"k{i}", **{f"_{i + 1}": "k"}) for i in range(count)]
    graph = JoinGraph(relations, classes)
    order = graph.order()
    assert sorted(order) == list(range(count + 1))
    assert order[:3] == [0, count, count - 1]


def test_of_equal_orders_the_text_wins() -> None:
    relations = [relation(100, k=100, j=100), relation(100, k=100), relation(100, j=100)]
    graph = JoinGraph(relations, [one_class(_0="k", _1="k"), one_class(_0="j", _2="j")])
    assert graph.order() == [0, 1, 2]


# --- estimates ------------------------------------------------------------------------------------


def estimate(condition: str, *, delta_rows: int = 0) -> float:
    """Rows expected of 1,000: `i` in [1, 100] and, in a second file, [101, 200]."""
    types: dict[str, SqlType] = {
        "i": BIGINT,
        "d": DecimalType(precision=15, scale=2),
        "f": ScalarType(kind=Kind.DOUBLE),
        "g": ScalarType(kind=Kind.DOUBLE),
        "t": DATE,
        "m": ScalarType(kind=Kind.TIMESTAMP),
        "s": TEXT,
    }
    later = DAY + datetime.timedelta(days=9)
    midnight = datetime.datetime(2026, 1, 1)
    first_file: dict[str, Range] = {
        "i": (1, 100),
        "d": (100, 1099),
        "f": (0.0, 10.0),
        "g": (-math.inf, math.inf),
        "t": (DAY, later),
        "m": (midnight, midnight + datetime.timedelta(days=10)),
        "s": ("a", "z"),
    }
    table = synthetic(
        2, "t", types, [(500, first_file), (500, {**first_file, "i": (101, 200)})], delta_rows
    )
    return filtered_rows(table, condition)


def filtered_rows(table: TableState, condition: str) -> float:
    """What is expected of the filter that stands above the scan of `t`."""
    database = Database(Path(), snapshot_of(table))
    query, tables = bound(database, f"SELECT 1 FROM t WHERE {condition}")
    filter_ = first(folded_query(query).relation, Filter)
    return Estimator(tables, {}).of(filter_).rows


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("i <= 50", 250),
        ("50 >= i", 250),
        ("i > 100", 500),
        ("i >= 1 AND i < 151", 750),
        ("i BETWEEN 51 AND 150", 500),
        ("i = 7", 5),
        ("i IN (7, 8, 150)", 15),
        ("i = 1000", 1),
        ("f < 1e30", 1000),
        ("g < CAST('Infinity' AS DOUBLE PRECISION)", 1000 / 3),
        ("g < 5.0", 1000 / 3),
        ("CAST(i AS DOUBLE PRECISION) <= 50", 250),
        ("NOT i <= 50", 750),
        ("i <= 50 OR i > 150", 500),
        ("d < 2.00", 100),
        ("f <= 5.0", 500),
        ("t < CAST('2026-01-06' AS DATE)", 500),
        ("m < CAST('2026-01-06 00:00:00' AS TIMESTAMP)", 500),
        ("i IS NULL", 100),
        ("i IS NOT NULL", 900),
        ("s = 'x'", 50),
        ("s LIKE '%x%'", 100),
        ("TRUE", 1000),
    ],
)
def test_rows_after_a_condition(condition: str, rows: float) -> None:
    assert estimate(condition) == pytest.approx(rows)


def test_deltas_count_as_rows() -> None:
    assert estimate("i <= 100", delta_rows=1000) == pytest.approx(1000)


def test_a_table_of_deltas_alone_has_rows() -> None:
    table = synthetic(2, "t", {"i": BIGINT}, [], delta_rows=30)
    assert filtered_rows(table, "i < 5") == pytest.approx(10)


def test_distinct_values_are_bounded_by_range_and_by_rows() -> None:
    files: list[tuple[int, Mapping[str, Range]]] = [
        (500, {"i": (1, 10), "t": (DAY, DAY)}),
        (500, {"i": (5, 20), "t": (DAY, DAY + datetime.timedelta(days=9_999))}),
    ]
    table = synthetic(2, "t", {"i": BIGINT, "t": DATE, "s": TEXT}, files)
    query, tables = bound(Database(Path(), snapshot_of(table)), "SELECT i, t, s FROM t")
    scan = first(query.relation, Scan)
    found = Estimator(tables, {}).of(scan)
    assert [found.distinct_of(c.id) for c in scan.outputs] == [20, 1000, 1000]


def test_a_key_counts_where_its_range_and_the_foreign_keys_overlap() -> None:
    calendar = synthetic(2, "calendar", {"day": BIGINT}, [(73_000, {"day": (1, 73_000)})])
    facts = synthetic(3, "facts", {"day": BIGINT}, [(100_000, {"day": (50_001, 51_000)})])
    sql = "SELECT 1 FROM calendar c JOIN facts f ON c.day = f.day"
    query, tables = bound(Database(Path(), snapshot_of(calendar, facts)), sql)
    join = first(query.relation, Join)
    assert Estimator(tables, {}).of(join).rows == pytest.approx(100_000, rel=0.01)


# --- the tree -------------------------------------------------------------------------------------

STAR = "facts.store = stores.id AND facts.good = goods.id AND stores.parent = regions.id"


def order_of(database: Database, sql: str) -> list[str]:
    return leaf_names(optimised(database, sql))


def is_left_deep(query: Any) -> bool:
    group = group_of(query)
    return all(
        not (isinstance(join.right, Join) and join.right.kind == "inner")
        for join in joins_of(group)
        if join.kind == "inner"
    )


def test_a_worker_gets_explicit_joins_in_the_best_order(star: Database) -> None:
    query = optimised(
        star,
        f"SELECT sum(amount) FROM facts, goods, stores, regions WHERE {STAR} "
        "AND regions.id = 3 AND goods.kind < 90",
    )
    assert sorted(leaf_names(query)[:2]) == ["regions", "stores"]
    assert leaf_names(query)[2:] == ["facts", "goods"]
    assert is_left_deep(query)
    joins = [join for join in joins_of(query.relation) if join.kind == "inner"]
    assert all(join.condition is not None for join in joins)


@pytest.mark.parametrize(
    "text",
    [
        f"facts, goods, stores, regions WHERE {STAR} AND regions.id = 3",
        "goods JOIN facts ON facts.good = goods.id JOIN stores ON facts.store = stores.id "
        "JOIN regions ON stores.parent = regions.id AND regions.id = 3",
        "goods CROSS JOIN stores INNER JOIN facts ON facts.good = goods.id, regions "
        "WHERE facts.store = stores.id AND stores.parent = regions.id AND regions.id = 3",
        "(regions JOIN stores ON stores.parent = regions.id) JOIN (facts JOIN goods ON facts.good "
        "= goods.id) ON facts.store = stores.id WHERE regions.id = 3",
    ],
)
def test_the_order_does_not_depend_on_how_joins_are_written(star: Database, text: str) -> None:
    order = order_of(star, f"SELECT 1 FROM {text}")
    assert sorted(order[:2]) == ["regions", "stores"]
    assert order[2:] == ["facts", "goods"]


def test_equalities_are_transitive(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts a, facts b, stores s WHERE a.store = b.store AND b.store = s.id "
        "AND s.kind = 1 AND a.good = 5",
    )
    assert leaf_names(query)[:2] == ["facts", "stores"]
    joins = [join for join in joins_of(query.relation) if join.kind == "inner"]
    assert len(joins) == 2
    assert all(join.condition is not None for join in joins)


def test_self_joins_keep_their_sides(star: Database) -> None:
    order = order_of(
        star,
        "SELECT 1 FROM facts x, stores y, stores z "
        "WHERE x.store = y.id AND y.parent = z.parent AND z.id = 7",
    )
    assert sorted(order[:2]) == ["stores", "stores_2"]
    assert order[2:] == ["facts"]


def test_a_second_column_of_a_class_stays_a_condition(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM stores, regions WHERE stores.parent = regions.id "
        "AND stores.kind = regions.id AND stores.id = 7",
    )
    found = conditions_of(query)
    names = [sorted(part.split("#")[0].strip("(") for part in c.split(" = ")) for c in found]
    assert ["kind", "parent"] in names or {("id", "kind"), ("id", "parent")} <= {
        tuple(pair) for pair in names
    }


def test_what_is_behind_an_outer_join_stays_there(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts JOIN goods ON facts.good = goods.id JOIN stores "
        "ON facts.store = stores.id AND stores.kind = 7 "
        "LEFT JOIN regions ON regions.id = stores.parent AND regions.kind < stores.kind",
    )
    top = joins_of(query.relation)[0]
    assert top.kind == "left"
    assert leaf_names(query) == ["facts", "stores", "goods"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("goods LEFT JOIN facts ON facts.good = goods.id LEFT JOIN stores "
         "ON facts.store = stores.id", ["left", "left"]),
        ("goods FULL JOIN facts ON facts.good = goods.id FULL JOIN stores "
         "ON facts.store = stores.id", ["full", "full"]),
    ],
)  # fmt: skip
def test_outer_joins_stay_as_they_are(star: Database, text: str, kinds: list[str]) -> None:
    outputs = "goods.name, facts.amount, stores.name AS other"
    query = optimised(star, f"SELECT {outputs} FROM {text}")
    assert [join.kind for join in joins_of(query.relation)] == kinds
    scans = [join.right for join in joins_of(query.relation)]
    assert [first(scan, Scan).input for scan in scans] == ["stores", "facts"]


@pytest.mark.parametrize(
    "condition",
    ["facts.good = goods.id + 1", "facts.good < goods.id", "facts.day = goods.name::date"],
)
def test_conditions_that_are_no_equalities_of_columns_stay(star: Database, condition: str) -> None:
    query = optimised(star, f"SELECT 1 FROM goods, facts WHERE {condition}")
    (join,) = joins_of(query.relation)
    assert join.condition is not None


def test_an_equality_in_every_branch_of_an_or_joins(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts, goods WHERE (facts.good = goods.id AND goods.kind = 1 AND amount < 5)"
        " OR (facts.good = goods.id AND goods.kind = 2 AND amount < 9)",
    )
    (join,) = joins_of(query.relation)
    found = conditions_of(query)
    assert any("good#" in part and "id#" in part and " or " not in part for part in found)
    assert join.kind == "inner"
    # What each branch says of one table alone filters that table.
    filters = [node for node in (join.left, join.right) if isinstance(node, Filter)]
    assert len(filters) == 2


def test_derived_tables_and_ctes_are_ordered_inside_and_estimated_outside(star: Database) -> None:
    order = order_of(
        star,
        "WITH big AS (SELECT store, sum(amount) AS total FROM facts GROUP BY store), "
        "one AS (SELECT id FROM stores WHERE id = 7) "
        "SELECT total FROM goods, (SELECT good, store FROM facts) f, big, one "
        "WHERE f.good = goods.id AND f.store = big.store AND big.store = one.id",
    )
    assert set(order[:2]) == {"facts_2", "stores"} or set(order[:2]) == {"facts", "stores"}
    assert order[-1] == "goods"


@pytest.mark.parametrize("end", ["LIMIT 3", "FETCH FIRST 3 ROWS ONLY", "LIMIT ALL", "OFFSET 2"])
def test_limits_of_any_form_are_estimated(star: Database, end: str) -> None:
    text = f"SELECT 1 FROM goods g, (SELECT good FROM facts ORDER BY 1 {end}) f WHERE f.good = g.id"
    assert sorted(order_of(star, text)) == ["facts", "goods"]


def test_a_small_set_of_members_filters_before_the_joins(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM goods, facts WHERE facts.good = goods.id AND goods.id IN "
        "(SELECT id FROM goods WHERE kind = 3)",
    )
    top = joins_of(query.relation)[0]
    assert top.kind == "inner"
    assert "semi" in [join.kind for join in joins_of(top)]


def test_members_that_leave_most_rows_filter_behind_the_joins(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts, stores WHERE facts.store = stores.id AND stores.id = 7 "
        "AND facts.good IN (SELECT id FROM goods)",
    )
    assert [join.kind for join in joins_of(query.relation)] == ["semi", "inner"]


def test_the_outer_part_of_a_correlated_query_is_ordered(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts, goods, stores WHERE facts.good = goods.id "
        "AND facts.store = stores.id AND stores.id = 7 AND amount > "
        "(SELECT avg(f.amount) FROM facts f WHERE f.store = stores.id)",
    )
    names = [name for name in leaf_names(query) if name in ("facts", "stores", "goods")]
    assert names.index("goods") == len(names) - 1


def test_a_relation_compared_with_a_query_on_its_own_is_joined_for_its_few_rows(
    star: Database,
) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts, goods, stores WHERE facts.good = goods.id AND facts.store = stores.id"
        " AND stores.kind = (SELECT max(kind) FROM regions)",
    )
    assert leaf_names(query) == ["facts", "stores+regions", "goods"]


def test_both_sides_of_a_join_compared_with_a_constant_give_no_fewer_rows(star: Database) -> None:
    sql = "SELECT 1 FROM facts JOIN stores ON facts.store = stores.id WHERE stores.id = 7"
    query, tables = bound(star, sql)
    join = first(pushed_down(query).relation, Join)
    assert isinstance(join.left, Filter)
    assert isinstance(join.right, Filter)
    assert Estimator(tables, {}).of(join).rows == pytest.approx(1_000)


def test_a_left_join_waits_for_inner_joins_that_leave_fewer_rows(star: Database) -> None:
    sql = (
        "SELECT 1 FROM facts LEFT JOIN goods ON facts.good = goods.id"
        " JOIN stores ON facts.store = stores.id WHERE {}"
    )
    few = optimised(star, sql.format("stores.kind = 7"))
    assert [join.kind for join in joins_of(few.relation)] == ["left", "inner"]
    missing = optimised(star, sql.format("stores.kind = 7 AND goods.id IS NULL"))
    assert [join.kind for join in joins_of(missing.relation)] == ["left", "inner"]
    many = optimised(star, sql.format("stores.id > 0"))
    assert [join.kind for join in joins_of(many.relation)] == ["inner", "left"]


def test_a_left_join_does_not_wait_where_another_relation_asks_for_its_right_side(
    star: Database,
) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts LEFT JOIN goods ON facts.good = goods.id JOIN stores"
        " ON facts.store = stores.id AND coalesce(goods.kind, 1) = stores.kind WHERE stores.id = 7",
    )
    assert [join.kind for join in joins_of(query.relation)] == ["inner", "left"]


def test_a_condition_that_may_fail_stays_above_the_joins(star: Database) -> None:
    query = optimised(
        star,
        "SELECT 1 FROM facts, stores WHERE facts.store = stores.id"
        " AND 1 / stores.kind = (SELECT max(kind) FROM regions)",
    )
    assert "regions" not in leaf_names(query)[0] + leaf_names(query)[1]


def test_explain_shows_the_order(star: Database) -> None:
    text = f"EXPLAIN SELECT 1 FROM facts, goods, stores, regions WHERE {STAR} AND regions.id = 3"
    lines = [line.strip() for line in star.explain(text)]
    start = lines.index("one worker runs")
    scans = [line.split()[1] for line in lines[start:] if line.startswith("Scan ")]
    assert sorted(scans[:2]) == ["regions", "stores"]
    assert scans[2:] == ["facts", "goods"]
