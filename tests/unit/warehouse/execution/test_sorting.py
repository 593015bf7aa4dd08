"""ORDER BY, LIMIT, OFFSET and WITH TIES."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.arithmetic
from storage.errors import InvalidRequest
from storage.schema import EnumType
from tests.unit.warehouse.execution.relation_cases import Tables, asc, call, desc, lit
from warehouse.algebra.expressions import Parameter, SortKey
from warehouse.algebra.relations import Limit, Relation, Sort
from warehouse.algebra.types import BIGINT, DOUBLE, INTEGER, INTERVAL, JSONB, TEXT, AnyType

assert warehouse.functions.arithmetic

NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "ascending"),
    [
        (DOUBLE, [float("-inf"), -1.0, 0.5, float("inf"), NAN]),
        (TEXT, ["", "B", "a", "é", "😀"]),
        (EnumType("mood", ("sad", "ok", "happy")), ["sad", "ok", "happy"]),
        (INTERVAL, [(0, -1, 0), (0, 29, 86_399_000_000), (1, 0, 0), (0, 30, 1)]),
    ],
)
def test_values_sort_as_in_postgresql(kind: AnyType, ascending: list[Any]) -> None:
    tables = Tables()
    rows = tables.scan([(value,) for value in [*ascending[1:], None, ascending[0]]], kind)
    key = rows.columns[0]
    for descending in (False, True):
        for nulls_first in (False, True):
            order = SortKey(expr=key, descending=descending, nulls_first=nulls_first)
            found = [value for (value,) in tables.run(Sort(input=rows, keys=(order,)))]
            values = ascending[::-1] if descending else ascending
            wanted = [None, *values] if nulls_first else [*values, None]
            assert repr(found) == repr(wanted)


def test_keys_are_expressions_and_constants_sort_nothing() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (3,), (2,)], INTEGER)
    negative = call("-(int4)", rows.columns[0], kind=INTEGER)
    assert tables.run(Sort(input=rows, keys=(asc(lit(1)), asc(negative)))) == [(3,), (2,), (1,)]
    assert tables.run(Sort(input=rows, keys=(asc(lit(1)),))) == [(1,), (3,), (2,)]


def test_jsonb_orders_by_kind_size_and_members() -> None:
    tables = Tables()
    texts = ["[]", "null", '"B"', '"a"', "-10", "-1.5", "0", "0.001", "9", "10", "false", "true"]
    texts += ["[[]]", "[1, 2]", "{}", '{"a": 1}', '{"c": 0}', '{"a": 2, "b": 1}']
    rows = tables.scan([(text,) for text in reversed(texts)], JSONB)
    found = tables.run(Sort(input=rows, keys=(asc(rows.columns[0]),)))
    assert found == [(text,) for text in texts]


def limited(relation: Relation, count: int | None, offset: int | None = None, **how: Any) -> Limit:
    def constant(value: int | None) -> Any:
        return None if value is None else lit(value, BIGINT)

    return Limit(input=relation, count=constant(count), offset=constant(offset), **how)


def test_limits_and_offsets() -> None:
    tables = Tables()
    rows = tables.scan([(3,), (1,), (2,)], INTEGER)
    ordered = Sort(input=rows, keys=(asc(rows.columns[0]),))
    assert tables.run(limited(ordered, 2)) == [(1,), (2,)]
    assert tables.run(limited(ordered, 2, 2)) == [(3,)]
    assert tables.run(limited(ordered, None, 1)) == [(2,), (3,)]
    assert tables.run(limited(ordered, 0)) == []
    assert tables.run(limited(ordered, 2**63 - 1, 1)) == [(2,), (3,)]
    assert tables.run(Limit(input=ordered, count=lit(None, BIGINT))) == [(1,), (2,), (3,)]


def test_a_limit_may_be_a_parameter() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,)], INTEGER)
    limit = Limit(input=rows, count=Parameter(type=BIGINT, index=1))
    assert tables.run(limit, {"parameters": ((1, BIGINT),)}) == [(1,)]


def test_negative_limits_are_refused() -> None:
    tables = Tables()
    rows = tables.scan([(1,)], INTEGER)
    with pytest.raises(InvalidRequest, match="LIMIT must not be negative") as caught:
        tables.run(limited(rows, -1))
    assert caught.value.sqlstate == "2201W"
    with pytest.raises(InvalidRequest, match="OFFSET must not be negative") as caught:
        tables.run(limited(rows, None, -1))
    assert caught.value.sqlstate == "2201X"


def test_a_limit_that_fails_fails_as_sql() -> None:
    tables = Tables()
    rows = tables.scan([(1,)], INTEGER)
    by_zero = call("/(int8,int8)", lit(1, BIGINT), lit(0, BIGINT), kind=BIGINT)
    with pytest.raises(InvalidRequest, match="division by zero"):
        tables.run(Limit(input=rows, count=by_zero))


def test_ties_of_the_last_row_stay() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,), (2,), (None,), (None,)], INTEGER)
    keys = (desc(rows.columns[0]),)
    ordered = Sort(input=rows, keys=keys)
    assert tables.run(limited(ordered, 1, ties=keys)) == [(None,), (None,)]
    assert tables.run(limited(ordered, 2, 1, ties=keys)) == [(None,), (2,), (2,)]
    assert len(tables.run(limited(ordered, 9, ties=keys))) == 5
    assert tables.run(limited(ordered, 0, ties=keys)) == []
    assert len(tables.run(limited(ordered, 1, ties=(asc(lit(1)),)))) == 5
