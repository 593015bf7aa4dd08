"""What predicates may do, reject and imply."""

from __future__ import annotations

import pytest

from storage.schema import DecimalType
from tests.unit.warehouse.optimizer.plans import all_of, number
from tests.unit.warehouse.optimizer.plans import test as condition
from warehouse.algebra.expressions import Call, Case, Cast, ColumnRef, Expr, InList, Literal
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, TEXT
from warehouse.optimizer.predicates import factored, implied, may_fault, rejects_null

A, B, C = (ColumnRef(type=BIGINT, id=number_) for number_ in (1, 2, 3))
T = ColumnRef(type=TEXT, id=4)
QUOTIENT = Call(type=BIGINT, fn="/(int8,int8)", args=(A, B))


def one_of(*parts: Expr) -> Expr:
    return Call(type=BOOLEAN, fn="or", args=parts)


def equal(one: Expr, other: Expr) -> Expr:
    return condition("=(int8,int8)", one, other)


@pytest.mark.parametrize(
    "expr",
    [
        equal(A, number(1)),
        condition("not", condition("is null", A)),
        InList(BOOLEAN, A, (number(1), number(2))),
        Case(BOOLEAN, ((equal(A, B), equal(A, C)),), equal(B, C)),
        condition("~~(text,text)", T, Literal(type=TEXT, value="a%")),
        Cast(type=BIGINT, arg=ColumnRef(type=INTEGER, id=9)),
        Cast(type=DecimalType(21, 2), arg=A),
    ],
)
def test_safe_expressions_never_fail(expr: Expr) -> None:
    assert not may_fault(expr)


@pytest.mark.parametrize(
    "expr",
    [
        QUOTIENT,
        equal(QUOTIENT, A),
        all_of(equal(A, B), equal(QUOTIENT, B)),
        Cast(type=BIGINT, arg=T),
        Cast(type=INTEGER, arg=A),
        Cast(type=DecimalType(20, 2), arg=A),
        InList(BOOLEAN, QUOTIENT, (number(1),)),
        condition("~~(text,text)", T, Literal(type=TEXT, value="a\\")),
        condition("~~(text,text)", T, T),
    ],
)
def test_unsafe_expressions_may_fail(expr: Expr) -> None:
    assert may_fault(expr)


def test_null_is_rejected_by_what_is_never_true_of_it() -> None:
    assert rejects_null(equal(A, C), {1, 2})
    assert rejects_null(all_of(equal(A, C), condition("is null", B)), {1, 2})
    assert rejects_null(one_of(equal(A, C), equal(B, C)), {1, 2})
    assert rejects_null(condition("not", condition("is null", A)), {1})
    assert rejects_null(condition("is true", equal(A, C)), {1})
    assert rejects_null(condition("not", one_of(equal(A, C), equal(B, C))), {1, 2})


def test_null_is_not_rejected_by_what_may_be_true_of_it() -> None:
    assert not rejects_null(one_of(equal(A, C), equal(C, C)), {1, 2})
    assert not rejects_null(condition("is null", A), {1})
    assert not rejects_null(condition("is not distinct", A, C), {1})
    assert not rejects_null(condition("not", all_of(equal(A, C), equal(C, C))), {1})
    coalesced = Call(type=BIGINT, fn="coalesce", args=(A, C))
    assert not rejects_null(equal(coalesced, C), {1})


def test_what_all_branches_share_leaves_the_or() -> None:
    whole = one_of(all_of(equal(A, B), equal(A, C)), all_of(equal(B, C), equal(A, B)))
    assert factored(whole) == [equal(A, B), one_of(equal(A, C), equal(B, C))]


def test_a_branch_of_shared_conditions_alone_absorbs_the_others() -> None:
    assert factored(one_of(all_of(equal(A, B), equal(A, C)), equal(A, B))) == [equal(A, B)]


def test_what_may_fail_stays_behind_its_guard() -> None:
    faulty = equal(QUOTIENT, A)
    whole = one_of(all_of(equal(B, C), faulty), all_of(equal(A, C), faulty))
    assert factored(whole) == [whole]


def test_an_or_implies_what_its_branches_say_of_a_side() -> None:
    one, two = number(1), number(2)
    whole = one_of(all_of(equal(A, one), equal(B, two)), all_of(equal(A, two), equal(B, one)))
    assert implied(whole, {1}) == one_of(equal(A, one), equal(A, two))
    assert implied(one_of(all_of(equal(A, one), equal(B, two)), equal(B, one)), {1}) is None
    assert implied(equal(A, one), {1}) is None
