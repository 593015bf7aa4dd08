"""IN, ANY, ALL and rows of subqueries: comparisons with many values at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet
from storage.schema import ArrayType
from warehouse.algebra import types
from warehouse.algebra.expressions import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Subquery,
)
from warehouse.algebra.relations import Project
from warehouse.algebra.types import (
    BOOLEAN,
    TEXT,
    UNKNOWN,
    RecordType,
    base_name,
    is_decimal,
    is_integer,
)
from warehouse.binder.coercion import beside, coerce, settled
from warehouse.binder.comparisons import COMPARISONS, comparable, compare, row_parts
from warehouse.binder.resolve import resolve
from warehouse.functions.registry import functions_named
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.algebra.relations import Relation
    from warehouse.binder.context import Binding
    from warehouse.binder.scope import Scope

__all__ = ["MembershipBinder", "negated"]


def negated(expr: Expr) -> Expr:
    """NOT expr."""
    return Call(type=BOOLEAN, fn="not", args=(expr,))


class MembershipBinder:
    """The part of `ExpressionBinder` that knows memberships."""

    if TYPE_CHECKING:
        binding: Binding
        scope: Scope
        _queries: Callable[[tree.QueryNode, Scope], Relation]

        def bind(self, node: Any) -> Expr: ...
        def typed(self, expr: Expr) -> Expr: ...
        def row(self, items: list[Expr]) -> Expr: ...
        def _place_of(self, node: Any) -> Callable[[], str]: ...
        def _same_width(self, left: Expr, right: Expr, node: Any) -> None: ...
        def _with_casts(
            self, relation: Relation, wanted: Sequence[Expr]
        ) -> tuple[Relation, tuple[ColumnRef, ...]]: ...
        def _resolved(
            self, name: str, args: list[Expr], node: Any, *, operator: bool = False
        ) -> Expr: ...

    def _in(self, node: tree.InTest) -> Expr:
        arg = self.bind(node.arg)
        if node.query is not None:
            found = self._membership("=", False, arg, node.query, node)
            return negated(found) if node.negated else found
        items = [self.bind(item) for item in node.items]
        place = self._place_of(node)
        if row_parts(arg) is not None or any(row_parts(item) is not None for item in items):
            for item in items:
                self._same_width(arg, item, node)
            return self._any_of([compare("=", arg, item, place) for item in items], node.negated)
        if all(isinstance(item, Literal) for item in items):
            listed = self._constant_list(arg, items, node)
            if listed is not None:
                return listed
        return self._any_of([compare("=", arg, item, place) for item in items], node.negated)

    def _any_of(self, tests: list[Expr], opposite: bool) -> Expr:
        found = tests[0] if len(tests) == 1 else Call(type=BOOLEAN, fn="or", args=tuple(tests))
        return negated(found) if opposite else found

    def _constant_list(self, arg: Expr, items: list[Expr], node: tree.InTest) -> Expr | None:
        """`arg IN (constants)` with one type for all; None if they need comparisons one by one."""
        place = self._place_of(node)
        left = arg
        pairs = [comparable("=", arg, item, place) for item in items]
        pairs = [(left, _as_double(right)) for left, right in pairs]
        lefts = {pair[0].type for pair in pairs}
        if len(lefts) != 1 or any(not isinstance(right, Literal) for _, right in pairs):
            return None
        left = pairs[0][0]
        kind = left.type
        rights = [right for _, right in pairs]
        if base_name(kind) == "record" or isinstance(kind, ArrayType):
            return None
        found = {right.type for right in rights if right.value is not None}  # type: ignore[attr-defined]
        exact = all(is_integer(one) or is_decimal(one) for one in (kind, *found))
        if not exact and any(base_name(one) != base_name(kind) for one in found):
            return None
        return InList(type=BOOLEAN, arg=left, items=tuple(rights), negated=node.negated)

    def _quantified(self, node: tree.Quantified) -> Expr:
        left = self.bind(node.left)
        if node.query is not None:
            if node.op not in COMPARISONS:
                return self._operator_membership(node, node.query, left)
            return self._membership(node.op, node.every, left, node.query, node)
        word = "all" if node.every else "any"
        if node.op not in COMPARISONS and isinstance(node.array, tree.ArrayExpr):
            return self._each(node, left, [self.bind(item) for item in node.array.items])
        array = self.bind(node.array)
        if array.type == UNKNOWN:
            element = TEXT if left.type == UNKNOWN else left.type
            array = beside(array, ArrayType(element=element))  # type: ignore[arg-type]
        if not isinstance(array.type, ArrayType):
            raise InvalidRequest(
                f"op ANY/ALL (array) requires array on right side{self.binding.place(node)}",
                "42809",
            )
        if node.op not in COMPARISONS and not functions_named(f"{word} {node.op}"):
            return self._operator_over_items(node, left, array)
        left, probe = (
            comparable(
                node.op, left, Literal(type=array.type.element, value=None), self._place_of(node)
            )
            if node.op in COMPARISONS
            else (self.typed(left), Literal(type=array.type.element, value=None))
        )
        if probe.type != array.type.element:
            array = coerce(array, ArrayType(element=probe.type))  # type: ignore[arg-type]
        return self._resolved(f"{word} {node.op}", [left, array], node)

    def _operator_membership(
        self, node: tree.Quantified, query: tree.QueryNode, left: Expr
    ) -> Expr:
        """`left LIKE ANY (query)`, and so for every operator that gives a Boolean."""
        relation = self._single(query, node)
        entry, bound, kind = resolve(
            node.op, [left, relation.columns[0]], operator=True, place=self._place_of(node)
        )
        if kind != BOOLEAN:
            raise InvalidRequest(
                f"op ANY/ALL requires operator to yield boolean{self.binding.place(node)}", "42804"
            )
        relation, refs = self._with_casts(relation, [bound[1]])
        return Subquery(
            type=BOOLEAN,
            kind="all" if node.every else "any",
            relation=relation,
            columns=refs,
            left=(bound[0],),
            ops=(entry.signature.key,),
        )

    def _operator_over_items(self, node: tree.Quantified, left: Expr, array: Expr) -> Expr:
        """`x LIKE ANY ('{a%,b%}')`: the operator with each item of an array."""
        assert isinstance(array.type, ArrayType)
        kind = array.type.element
        if isinstance(array, Literal) and array.value is None:
            return Literal(type=BOOLEAN, value=None)
        if isinstance(array, Literal):
            items: list[Expr] = [Literal(type=kind, value=item) for item in array.value]
        elif isinstance(array, Call) and array.fn == "array":
            items = list(array.args)
        else:
            return self._operator_over_elements(node, left, array)
        return self._each(node, left, items)

    def _operator_over_elements(self, node: tree.Quantified, left: Expr, array: Expr) -> Expr:
        """An array of the row's: its elements are a query. NULL if there is no array."""
        assert isinstance(array.type, ArrayType)
        self._each(node, left, [Literal(type=array.type.element, value=None)])  # is it a test?
        elements = tree.FuncCall(
            node.at, ("pg_catalog", "unnest"), (tree.Arg(node.at, node.array),)
        )
        body = tree.SelectNode(node.at, (tree.SelectItem(node.at, elements),))
        found = self._operator_membership(node, tree.QueryNode(node.at, body), left)
        missing = Call(type=BOOLEAN, fn="is null", args=(array,))
        null = Literal(type=BOOLEAN, value=None)
        return Case(type=BOOLEAN, branches=((missing, null),), default=found)

    def _each(self, node: tree.Quantified, left: Expr, items: Sequence[Expr]) -> Expr:
        """The operator with each of the items, joined by OR or AND."""
        tests = [self._resolved(node.op, [left, item], node, operator=True) for item in items]
        if any(test.type != BOOLEAN for test in tests):
            raise InvalidRequest(
                f"op ANY/ALL (array) requires operator to yield boolean{self.binding.place(node)}",
                "42809",
            )
        if len(tests) == 1:
            return tests[0]
        if not tests:
            return Literal(type=BOOLEAN, value=node.every)
        return Call(type=BOOLEAN, fn="and" if node.every else "or", args=tuple(tests))

    def _membership(
        self, op: str, every: bool, left: Expr, query: tree.QueryNode, node: Any
    ) -> Expr:
        relation = self._queries(query, self.scope)
        parts = row_parts(left)
        lefts = [left] if parts is None else list(parts)
        columns = relation.columns
        if len(lefts) != len(columns):
            many = "many" if len(columns) > len(lefts) else "few"
            raise InvalidRequest(
                f"subquery has too {many} columns{self.binding.place(node)}", "42601"
            )
        if len(lefts) > 1 and (op, every) not in (("=", False), ("<>", True)):
            raise NotYet(f"a row {op} {'ALL' if every else 'ANY'} (query) is not available")
        bound = [
            comparable(op, a, column, self._place_of(node))
            for a, column in zip(lefts, columns, strict=True)
        ]
        relation, refs = self._with_casts(relation, [right for _, right in bound])
        return Subquery(
            type=BOOLEAN,
            kind="all" if every else "any",
            relation=relation,
            columns=refs,
            left=tuple(a for a, _ in bound),
            ops=(op,) * len(bound),
        )

    def _single(self, query: tree.QueryNode, node: Any) -> Relation:
        relation = self._queries(query, self.scope)
        if len(relation.columns) != 1:
            raise InvalidRequest(
                f"subquery must return only one column{self.binding.place(node)}", "42601"
            )
        return relation

    def _row_of(self, node: tree.QueryExpr) -> Expr:
        """`(SELECT a, b …)` beside a row: the columns of its only row."""
        relation = self._queries(node.query, self.scope)
        whole = self.row([settled(column) for column in relation.columns])
        column = self.binding.column(whole.type, "row")
        project = Project(input=relation, items=((column, whole),))
        value = Subquery(type=whole.type, kind="scalar", relation=project, columns=(column,))
        assert isinstance(whole.type, RecordType)
        fields = [
            Call(
                type=kind,
                fn="field",
                args=(value, Literal(type=types.INTEGER, value=position)),
            )
            for position, kind in enumerate(whole.type.fields, 1)
        ]
        return self.row(list(fields))


def _as_double(expr: Expr) -> Expr:
    """An exact number that is compared with floats, as one of them."""
    if isinstance(expr, Cast) and expr.type == types.DOUBLE and isinstance(expr.arg, Literal):
        exact = is_integer(expr.arg.type) or is_decimal(expr.arg.type)
        if exact and expr.arg.value is not None:
            return Literal(type=types.DOUBLE, value=float(expr.arg.value))
    return expr
