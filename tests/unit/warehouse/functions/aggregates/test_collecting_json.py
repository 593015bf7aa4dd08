"""json_agg and json_object_agg; the texts are PostgreSQL's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.all
from storage.errors import InvalidRequest
from storage.schema import ArrayType, DecimalType
from tests.unit.warehouse.execution.relation_cases import Tables, agg, call, desc, lit
from warehouse.algebra.types import BOOLEAN, INTEGER, JSON, JSONB, TEXT, AnyType

assert warehouse.functions.all


def collected(rows: list[Any], kind: AnyType, result: AnyType = JSON, **how: Any) -> Any:
    tables = Tables()
    scan = tables.scan([(value,) for value in rows], kind)
    name = "jsonb_agg" if result == JSONB else "json_agg"
    found = agg(f"{name}(anyelement)", scan.columns[0], kind=result, **how)
    [(text,)] = tables.run(tables.aggregate(scan, [], found))
    return text


def paired(
    rows: list[Any], key: AnyType, value: AnyType, result: AnyType = JSON, **how: Any
) -> Any:
    tables = Tables()
    scan = tables.scan(rows, key, value)
    name = "jsonb_object_agg" if result == JSONB else "json_object_agg"
    found = agg(f"{name}(any,any)", *scan.columns, kind=result, **how)
    [(text,)] = tables.run(tables.aggregate(scan, [], found))
    return text


def test_values_become_an_array() -> None:
    assert collected([1, None, 2], INTEGER) == "[1, null, 2]"
    assert collected(["a", 'b"'], TEXT) == '["a", "b\\""]'
    assert collected([Decimal("1.50")], DecimalType(30, 2)) == "[1.50]"
    assert collected([(1,), None, (2, 3)], ArrayType(INTEGER)) == "[[1], null, \n [2,3]]"
    assert collected(['{"a":1}', "[1,  2]"], JSON) == '[{"a":1}, [1,  2]]'
    assert collected([], INTEGER) is None


def test_jsonb_is_in_its_form() -> None:
    assert collected([(1,), (2, 3)], ArrayType(INTEGER), JSONB) == "[[1], [2, 3]]"
    assert collected([2, None, 1, 2], INTEGER, JSONB, distinct=True) == "[1, 2, null]"


def test_order_and_filter_apply() -> None:
    tables = Tables()
    scan = tables.scan([(1,), (3,), (2,)], INTEGER)
    column = scan.columns[0]
    found = agg(
        "json_agg(anyelement)",
        column,
        kind=JSON,
        order=(desc(column),),
        filter=call(">", column, lit(1)),
    )
    assert tables.run(tables.aggregate(scan, [], found)) == [("[3, 2]",)]


def test_pairs_become_an_object() -> None:
    rows = [("b", 1), ("a", None), ("b", 3), ("cc", 4)]
    assert paired(rows, TEXT, INTEGER) == '{ "b" : 1, "a" : null, "b" : 3, "cc" : 4 }'
    assert paired(rows, TEXT, INTEGER, JSONB) == '{"a": null, "b": 3, "cc": 4}'
    flags = [(True, (1, 2)), (False, (3,))]
    assert paired(flags, BOOLEAN, ArrayType(INTEGER)) == '{ "true" : [1,2], "false" : [3] }'
    assert paired([], TEXT, INTEGER) is None


def test_keys_are_scalars_and_not_null() -> None:
    with pytest.raises(InvalidRequest, match="null value not allowed") as caught:
        paired([(None, 1)], TEXT, INTEGER)
    assert caught.value.sqlstate == "22004"
    with pytest.raises(InvalidRequest, match="field name must not be null") as caught:
        paired([(None, 1)], TEXT, INTEGER, JSONB)
    assert caught.value.sqlstate == "22023"
    with pytest.raises(InvalidRequest, match="key value must be scalar"):
        paired([((1,), 1)], ArrayType(INTEGER), INTEGER)
