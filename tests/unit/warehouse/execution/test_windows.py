"""Window functions against PostgreSQL's answers, and what a relation of them must keep to."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import warehouse.functions.arithmetic  # noqa: F401 - registers division
from storage.errors import InvalidRequest, NotYet
from storage.schema import DecimalType
from tests.unit.warehouse.execution.window_cases import (
    COLUMNS,
    IDS,
    RESULT,
    context_of,
    same,
    window_node,
    window_values,
)
from warehouse.algebra.expressions import (
    Call,
    ColumnRef,
    Expr,
    Frame,
    FrameBound,
    Literal,
    SortKey,
    WindowCall,
)
from warehouse.algebra.relations import Window
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, INTERVAL, AnyType
from warehouse.execution import window_general
from warehouse.execution.lowered import Lowered
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import fault_of
from warehouse.execution.windows import lower_window

REFERENCE = json.loads(
    (Path(__file__).parents[3] / "data" / "windows" / "reference.json").read_text()
)
CASES = [case for case in REFERENCE["cases"] if not isinstance(case["answer"], str)]
ERRORS = [case for case in REFERENCE["cases"] if isinstance(case["answer"], str)]
NAMES = [f"{i}-{case['fn'].partition('(')[0]}" for i, case in enumerate(CASES)]
EVERYTHING = Frame("rows", FrameBound("unbounded preceding"), FrameBound("unbounded following"))
SO_FAR = Frame("rows", FrameBound("unbounded preceding"), FrameBound("current"))


def column(name: str) -> ColumnRef:
    return ColumnRef(type=COLUMNS[name][1], id=IDS[name])


def small(**columns: list[Any]) -> dict[str, list[Any]]:
    """Rows with these columns in text form; the others are NULL."""
    length = len(next(iter(columns.values())))
    texts = {
        name: [None if value is None else str(value) for value in values]
        for name, values in columns.items()
    }
    empty: list[Any] = [None] * length
    ids = [str(i) for i in range(length)]
    return {name: texts.get(name, ids if name == "id" else empty) for name in COLUMNS}


def windowed(rows: dict[str, list[Any]], call: WindowCall) -> Lowered:
    context = context_of(rows)
    scan = window_node([]).input
    node = Window(scan, ((ColumnRef(type=call.type, id=RESULT), call),))
    return lower_window(node, lower_relation(scan, context), context)


def results(rows: dict[str, list[Any]], call: WindowCall) -> list[Any]:
    """In the order of the rows."""
    frame = windowed(rows, call).frame.collect().sort(f"c{IDS['id']}")
    return frame.get_column(f"c{RESULT}").to_list()


def refused(rows: dict[str, list[Any]], call: WindowCall) -> InvalidRequest:
    with pytest.raises((pl.exceptions.PolarsError, InvalidRequest)) as caught:
        results(rows, call)
    error = caught.value
    found = error if isinstance(error, InvalidRequest) else fault_of(error)
    assert found is not None, error
    return found


def over(
    fn: str,
    kind: AnyType,
    *args: Expr,
    order: str | None = "id",
    frame: Frame | None = None,
    **more: Any,
) -> WindowCall:
    keys = (SortKey(column(order)),) if order else ()
    return WindowCall(type=kind, fn=fn, args=args, order=keys, frame=frame, **more)


# --- PostgreSQL's answers -------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_answers_are_postgresqls(case: dict[str, Any]) -> None:
    found = window_values([case], context_of(REFERENCE["rows"]))[0]
    for i, (expected, key) in enumerate(zip(case["answer"], sorted(found), strict=True)):
        assert same(found[key], expected), (i, found[key], expected)


def test_answers_are_the_same_in_one_relation_and_for_rows_in_any_order() -> None:
    rows = REFERENCE["rows"]
    turned = {name: values[::-1] for name, values in rows.items()}
    found = window_values(CASES, context_of(turned))
    for case, values in zip(CASES, found, strict=True):
        for expected, key in zip(case["answer"], sorted(values), strict=True):
            assert same(values[key], expected), case


@pytest.mark.parametrize("case", ERRORS, ids=[case["fn"] for case in ERRORS])
def test_errors_are_postgresqls(case: dict[str, Any]) -> None:
    with pytest.raises((pl.exceptions.PolarsError, InvalidRequest)) as caught:
        window_values([case], context_of(REFERENCE["rows"]))
    error = caught.value
    found = error if isinstance(error, InvalidRequest) else fault_of(error)
    assert found is not None
    assert found.sqlstate == case["answer"]


def test_no_rows_give_no_rows() -> None:
    nothing: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    assert window_values(CASES, context_of(nothing)) == [{}] * len(CASES)


def test_frames_written_out_in_portions_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_general, "PORTION_ROWS", 3)
    chosen = [case for case in CASES if case["fn"].startswith(("string_agg", "array_agg"))]
    assert chosen
    found = window_values(chosen, context_of(REFERENCE["rows"]))
    for case, values in zip(chosen, found, strict=True):
        for expected, key in zip(case["answer"], sorted(values), strict=True):
            assert same(values[key], expected), case


# --- errors ---------------------------------------------------------------------------------------


def test_messages_are_postgresqls() -> None:
    rows = small(i=[1, 2])
    negative = Frame("rows", FrameBound("preceding", Literal(BIGINT, -1)), FrameBound("current"))
    unknown = Frame("groups", FrameBound("current"), FrameBound("following", Literal(BIGINT, None)))
    error = refused(rows, over("count(*)", BIGINT, frame=negative))
    assert (error.sqlstate, error.message) == (
        "22013",
        "frame starting offset must not be negative",
    )
    error = refused(rows, over("count(*)", BIGINT, frame=unknown))
    assert (error.sqlstate, error.message) == ("22004", "frame ending offset must not be null")
    error = refused(rows, over("ntile(int4)", INTEGER, Literal(INTEGER, 0)))
    assert error.message == "argument of ntile must be greater than zero"
    nth = over("nth_value(anyelement,int4)", INTEGER, column("i"), Literal(INTEGER, 0))
    assert refused(rows, nth).message == "argument of nth_value must be greater than zero"


def test_constant_offsets_are_checked_without_rows() -> None:
    negative = Frame("rows", FrameBound("preceding", Literal(BIGINT, -1)), FrameBound("current"))
    assert refused(small(i=[]), over("count(*)", BIGINT, frame=negative)).sqlstate == "22013"


def test_an_offset_may_come_from_a_column() -> None:
    frame = Frame("rows", FrameBound("preceding", column("b")), FrameBound("current"))
    rows = small(i=[1, 2, 4, 8], b=[1, 1, 1, 1])
    assert results(rows, over("sum(int4)", BIGINT, column("i"), frame=frame)) == [1, 3, 6, 12]
    unknown = small(i=[1, 2])
    call = over("sum(int4)", BIGINT, column("i"), frame=frame)
    assert refused(unknown, call).sqlstate == "22004"


def test_a_fault_counts_only_where_filter_takes_the_row() -> None:
    divided = Call(INTEGER, "/(int4,int4)", (Literal(INTEGER, 12), column("i")))
    rows = small(i=[0, 3, 4], bo=["false", "true", "true"])
    for frame in (SO_FAR, EVERYTHING):
        call = over("sum(int4)", BIGINT, divided, frame=frame, filter=column("bo"))
        assert results(rows, call)[-1] == 7
        bare = over("sum(int4)", BIGINT, divided, frame=frame)
        assert refused(rows, bare).sqlstate == "22012"


def test_a_default_fails_only_where_it_is_used() -> None:
    divided = Call(INTEGER, "/(int4,int4)", (Literal(INTEGER, 12), column("i")))
    fn = "lag(anycompatible,int4,anycompatible)"
    call = over(fn, INTEGER, column("i"), Literal(INTEGER, 1), divided)
    assert results(small(i=[4, 0, 5]), call) == [3, 4, 0]
    assert refused(small(i=[0, 4, 5]), call).sqlstate == "22012"


def test_an_aggregate_without_a_kernel_fails_as_it_does_elsewhere() -> None:
    rows = small(iv=["[2147483647,0,0]", "[1,0,0]"])
    call = over("sum(interval)", INTERVAL, column("iv"), frame=SO_FAR)
    assert refused(rows, call).sqlstate == "22008"


def test_what_is_not_supported_says_so() -> None:
    rows = small(i=[1])
    call = over("first_value(anyelement)", INTEGER, column("i"), ignore_nulls=True)
    assert isinstance(refused(rows, call), NotYet)
    truth = Literal(BOOLEAN, True)
    assert isinstance(refused(rows, over("rank()", BIGINT, filter=truth)), NotYet)


# --- exactness ------------------------------------------------------------------------------------


def test_sums_of_bigint_and_decimal_are_exact_far_beyond_64_bits() -> None:
    largest = 2**63 - 1
    rows = small(b=[largest, largest, -largest - 1, 5])
    long_sum = over("sum(int8)", DecimalType(38, 0), column("b"), frame=SO_FAR)
    expected = [largest, 2 * largest, largest - 1, largest + 4]
    assert results(rows, long_sum) == [Decimal(value) for value in expected]
    nines = Decimal("99999999999999999999999999.9999")
    wide = over("sum(numeric)", DecimalType(38, 4), column("w"), frame=SO_FAR)
    found = results(small(w=[nines] * 3), wide)
    assert [str(value) for value in found] == [
        "99999999999999999999999999.9999",
        "199999999999999999999999999.9998",
        "299999999999999999999999999.9997",
    ]


def test_an_infinity_leaves_a_moving_frame_again() -> None:
    frame = Frame("rows", FrameBound("preceding", Literal(BIGINT, 1)), FrameBound("current"))
    rows = small(f=["1e300", "inf", "1", "nan", "2", "1e-9"])
    call = over("sum(float8)", COLUMNS["f"][1], column("f"), frame=frame)
    found = results(rows, call)
    assert found[:3] == [1e300, math.inf, math.inf]
    assert math.isnan(found[3])
    assert math.isnan(found[4])
    assert found[5] == 2 + 1e-9


def test_finite_floats_with_an_infinite_sum_overflow() -> None:
    rows = small(f=["1e308", "1e308"])
    for frame in (SO_FAR, EVERYTHING):
        call = over("sum(float8)", COLUMNS["f"][1], column("f"), frame=frame)
        assert refused(rows, call).sqlstate == "22003"


def test_a_frame_of_few_rows_proves_that_its_sum_fits() -> None:
    rows = small(d=["9999999999.99"] * 4)
    kind = DecimalType(38, 2)
    frame = Frame("rows", FrameBound("preceding", Literal(BIGINT, 6)), FrameBound("current"))
    lowered = windowed(rows, over("sum(numeric)", kind, column("d"), frame=frame))
    value = lowered.columns[RESULT]
    assert not value.wide
    assert value.range is not None
    assert value.range.high == 999_999_999_999 * 7
    assert lowered.frame.collect().get_column(f"c{RESULT}").to_list()[3] == 3_999_999_999_996


# --- the relation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [SO_FAR, EVERYTHING], ids=["sorted", "whole"])
@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_a_filter_or_limit_above_leaves_the_window_all_rows(frame: Frame, engine: Any) -> None:
    rows = small(i=[1, 2, 4, 8])
    lowered = windowed(rows, over("sum(int4)", BIGINT, column("i"), frame=frame)).frame
    kept = lowered.filter(pl.col(f"c{IDS['i']}") == 8).collect(engine=engine)
    assert kept.get_column(f"c{RESULT}").to_list() == [15]
    assert lowered.tail(1).collect(engine=engine).get_column(f"c{RESULT}").to_list() == [15]


def test_constants_are_arguments_like_others() -> None:
    rows = small(i=[1, 2, 4])
    three = Literal(INTEGER, 3)
    assert results(rows, over("sum(int4)", BIGINT, three, order=None)) == [9, 9, 9]
    assert results(rows, over("sum(int4)", BIGINT, three)) == [3, 6, 9]
    assert results(rows, over("count(*)", BIGINT, order=None, partition=(three,))) == [3, 3, 3]
