"""Division by zero is an error, but only where PostgreSQL would divide.

Polars gives NULL or infinity, evaluates every branch of a CASE, and has no function that raises. A
cast of a text to a number raises, so a divisor `b` becomes

    COALESCE(CAST(CASE WHEN guard AND b = 0 AND a IS NOT NULL
                       THEN 'division by zero' END AS BIGINT), b)

since NULL / 0 is NULL. `guard` says that this row reaches the division: the WHEN that leads to it
and the negation of earlier ones, the left sides of AND and OR, earlier arguments of COALESCE,
FILTER of the aggregate around it, and HAVING where the divisor is an aggregate. WHERE needs none:
it filters first.

Not checked: constants other than 0 and `NULLIF(…, 0)`; DOUBLE; conditions of joins and inside
EXISTS; operands with subqueries.
"""

from __future__ import annotations

from sqlglot import exp

from warehouse.sql.types import is_integer_type

__all__ = ["DIVIDES", "MARK", "check_divisions"]

DIVIDES = "divides_exactly"  # in a node's meta: a division whose operands are integers or decimals
MARK = "division by zero"


def check_divisions(tree: exp.Query) -> None:
    """Put the check around divisors; changes the rewritten `tree`."""
    for node in reversed(list(tree.find_all(exp.IntDiv, exp.Div, exp.Mod))):
        kind = _kind(node)
        if kind is None or _harmless(node.expression) or _unchecked(node):
            continue
        divisor = node.expression
        zero = exp.EQ(this=_paren(divisor), expression=exp.Literal.number(0))
        known = exp.Not(this=exp.Is(this=_paren(node.this), expression=exp.Null()))
        condition = exp.and_(*_guards(node, divisor), zero, known, copy=False)
        case = exp.Case().when(condition, exp.Literal.string(MARK))
        raising = exp.Cast(this=case, to=kind)
        checked = exp.Coalesce(this=raising, expressions=[divisor.copy()])
        checked.type = divisor.type
        divisor.replace(checked)


def _unchecked(node: exp.Expr) -> bool:
    """Would Polars not run the condition, or run a subquery twice?"""
    if isinstance(node.find_ancestor(exp.Join, exp.Select), exp.Join):
        return True
    return node.find_ancestor(exp.Exists) is not None or node.this.find(exp.Query) is not None


def _kind(node: exp.Expr) -> exp.DataType | None:
    """The type that the divisor is checked in, or None where the division is not checked."""
    if isinstance(node, exp.IntDiv):
        return exp.DataType.build(exp.DType.BIGINT)
    if isinstance(node, exp.Div):
        return exp.DataType.build(exp.DType.DOUBLE) if node.meta.get(DIVIDES) else None
    both = (node.this, node.expression)
    if all(is_integer_type(side) for side in both):
        return exp.DataType.build(exp.DType.BIGINT)
    return None


def _harmless(divisor: exp.Expr) -> bool:
    while isinstance(divisor, exp.Paren | exp.Cast | exp.Neg):
        divisor = divisor.this
    if isinstance(divisor, exp.Literal):
        return divisor.is_string or float(divisor.this) != 0
    if isinstance(divisor, exp.Nullif):
        zero = divisor.expression
        return isinstance(zero, exp.Literal) and not zero.is_string and float(zero.this) == 0
    return divisor.find(exp.Query) is not None


def _guards(node: exp.Expr, divisor: exp.Expr) -> list[exp.Expr]:
    select = node.find_ancestor(exp.Select)
    aggregate = divisor.find(exp.AggFunc) is not None
    child, parent = node, node.parent
    guards: list[exp.Expr] = []
    if select is not None and select.args.get("group") and not aggregate and not _inside(node):
        return guards  # part of a group's key, whose text must stay the same everywhere
    while parent is not None and parent is not select:
        if isinstance(parent, exp.AggFunc | exp.Window) and child is parent.this:
            outer = parent.parent
            if isinstance(outer, exp.Filter):
                guards.append(_paren(outer.expression.this))
            return guards
        guards += _guards_of(parent, child)
        child, parent = parent, parent.parent
    having = select.args.get("having") if select is not None else None
    if having is not None and child is not having and aggregate:
        guards.append(_paren(having.this))
    return guards


def _inside(node: exp.Expr) -> bool:
    """Is the node an argument of an aggregate of its own SELECT?"""
    found = node.find_ancestor(exp.AggFunc, exp.Select)
    return isinstance(found, exp.AggFunc)


def _guards_of(parent: exp.Expr, child: exp.Expr) -> list[exp.Expr]:
    match parent:
        case exp.And() if child is parent.expression:
            return [_paren(parent.this)]
        case exp.Or() if child is parent.expression:
            return [_not_true(parent.this)]
        case exp.If() if child is parent.args.get("true"):
            return [_condition(parent)]
        case exp.Case():
            earlier = []
            for branch in parent.args["ifs"]:
                if branch is child:
                    break
                earlier.append(_not_true(_condition(branch)))
            return [] if child is parent.args.get("this") else earlier
        case exp.Coalesce():
            arguments = [parent.this, *parent.expressions]
            before = arguments[: [id(a) for a in arguments].index(id(child))]
            return [exp.Is(this=_paren(a), expression=exp.Null()) for a in before]
    return []


def _condition(branch: exp.Expr) -> exp.Expr:
    """The condition of a WHEN; `CASE x WHEN v` means x = v."""
    case = branch.parent
    if isinstance(case, exp.Case) and case.args.get("this"):
        return exp.EQ(this=_paren(case.this), expression=_paren(branch.this))
    return _paren(branch.this)


def _not_true(condition: exp.Expr) -> exp.Expr:
    known = exp.Coalesce(this=condition.copy(), expressions=[exp.false()])
    return exp.Not(this=known)


def _paren(node: exp.Expr) -> exp.Expr:
    wrapped = exp.Paren(this=node.copy())
    wrapped.type = node.type
    return wrapped
