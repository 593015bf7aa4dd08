"""WITH RECURSIVE."""

from __future__ import annotations

import pytest

import warehouse.functions.arithmetic
from storage.errors import InvalidRequest, NotYet
from storage.schema import DecimalType
from tests.unit.warehouse.execution.relation_cases import Tables, call, eq, lit
from warehouse.algebra.expressions import Call
from warehouse.algebra.relations import (
    Cte,
    CteScan,
    Empty,
    Filter,
    Join,
    Limit,
    Recursive,
    Relation,
    WorkingTable,
)
from warehouse.algebra.types import BIGINT, INTEGER
from warehouse.execution.lowered import Context
from warehouse.execution.relations import lower_relation

assert warehouse.functions.arithmetic


def counting(tables: Tables, below: int | None, start: int = 1) -> Recursive:
    """start, start + 1, … to `below`, or for ever."""
    last, out = tables.column(INTEGER), tables.column(INTEGER)
    rows: Relation = WorkingTable(id=7, outputs=(last,))
    if below is not None:
        rows = Filter(input=rows, predicate=call("<", last, lit(below)))
    step = tables.project(rows, call("+(int4,int4)", last, lit(1), kind=INTEGER))
    return Recursive(id=7, base=tables.project(Empty(), lit(start)), step=step, outputs=(out,))


def test_rounds_end_when_one_adds_nothing() -> None:
    tables = Tables()
    assert tables.run(counting(tables, 4)) == [(1,), (2,), (3,), (4,)]
    assert tables.run(counting(tables, 1)) == [(1,)]


def test_a_limit_ends_rounds_that_would_not() -> None:
    tables = Tables()
    endless = counting(tables, None)
    assert tables.run(Limit(input=endless, count=lit(3, BIGINT))) == [(1,), (2,), (3,)]
    shown = tables.project(endless, endless.columns[0])
    limited = Limit(input=shown, count=lit(2, BIGINT), offset=lit(5, BIGINT))
    assert tables.run(limited) == [(6,), (7,)]


def test_what_the_base_proves_does_not_bind_later_rounds() -> None:
    tables = Tables()
    most = 2**31 - 2
    assert tables.run(counting(tables, most + 1, most)) == [(most,), (most + 1,)]
    with pytest.raises(InvalidRequest, match="integer out of range"):
        tables.run(counting(tables, None, most))


def test_decimals_keep_one_carrier_over_the_rounds() -> None:
    tables = Tables()
    kind = DecimalType(38, 0)
    last, out = tables.column(kind), tables.column(kind)
    less = Filter(
        input=WorkingTable(id=1, outputs=(last,)),
        predicate=call("<", last, lit(10**20, kind)),
    )
    product = Call(type=kind, fn="*(numeric,numeric)", args=(last, lit(10**5, kind)))
    step = tables.project(less, product)
    base = tables.project(Empty(), lit(1, kind))
    found = tables.run(Recursive(id=1, base=base, step=step, outputs=(out,)))
    assert [int(value) for (value,) in found] == [10**power for power in (0, 5, 10, 15, 20)]


def reached(tables: Tables, edges: Relation) -> Recursive:
    last, out = tables.column(INTEGER), tables.column(INTEGER)
    rows = WorkingTable(id=3, outputs=(last,))
    start, end = edges.columns
    step = Join(kind="inner", left=rows, right=edges, condition=eq(last, start))
    base = tables.project(Empty(), lit(1))
    return Recursive(id=3, base=base, step=tables.project(step, end), outputs=(out,), distinct=True)


def test_union_ends_in_a_graph_with_cycles() -> None:
    tables = Tables()
    edges = tables.scan([(1, 2), (2, 3), (3, 1), (3, None), (3, 4), (9, 8)], INTEGER, INTEGER)
    assert tables.set(reached(tables, edges)) == [(1,), (2,), (3,), (4,), (None,)]


def test_a_step_may_read_a_common_table_expression() -> None:
    tables = Tables()
    edges = tables.scan([(1, 2), (2, 3)], INTEGER, INTEGER)
    shared = CteScan(cte=0, outputs=(tables.column(INTEGER), tables.column(INTEGER)))
    context = {"definitions": {0: Cte(name="edges", relation=edges)}}
    found = tables.run(reached(tables, shared), context)
    assert sorted(found) == [(1,), (2,), (3,)]


def test_a_working_table_needs_its_recursion() -> None:
    with pytest.raises(NotYet, match="refers to both"):
        lower_relation(WorkingTable(id=5, outputs=()), Context())
