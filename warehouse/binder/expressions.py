"""Expressions: from the syntax tree to typed algebra.

Aggregates, window functions and set-returning functions do not stay where they stand: each becomes
a new column, which the SELECT's `Collector` holds together with the call that makes it. Where a
clause may not have them, its collector says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.schema import ArrayType, StructType
from warehouse.algebra import types
from warehouse.algebra.expressions import (
    Call,
    Case,
    ColumnRef,
    Expr,
    Literal,
    Subquery,
)
from warehouse.algebra.types import (
    BOOLEAN,
    BYTEA,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    base_name,
    is_collatable,
    is_integer,
    shown,
)
from warehouse.binder.calls import CallBinder
from warehouse.binder.casts import CastBinder
from warehouse.binder.coercion import agreed, coerce, settled, stored_element
from warehouse.binder.comparisons import COMPARISONS, compare, row_parts
from warehouse.binder.constants import number
from warehouse.binder.memberships import MembershipBinder, negated
from warehouse.binder.presence import Presence, where_present
from warehouse.binder.resolve import resolve
from warehouse.syntax import tree
from warehouse.syntax.collations import check_collation

if TYPE_CHECKING:
    from warehouse.algebra.relations import Relation
    from warehouse.binder.context import Binding, Collector
    from warehouse.binder.scope import Scope, ScopeTable

__all__ = ["ExpressionBinder"]

TEXTS = ArrayType(element=TEXT)  # steps of a path
_LIKE = {"like": "~~", "ilike": "~~*"}


class ExpressionBinder(MembershipBinder, CastBinder, CallBinder):
    """Binds expressions of one clause.

    Args:
        queries: binds a subquery in this scope: (query, scope) -> relation with its columns.
    """

    def __init__(
        self,
        binding: Binding,
        scope: Scope,
        collector: Collector,
        queries: Callable[[tree.QueryNode, Scope], Relation],
    ) -> None:
        super().__init__(binding, scope, collector)
        self._queries = queries

    def boolean(self, node: Any, clause: str) -> Expr:
        """A condition. Raises InvalidRequest (42804) if it is none."""
        return self._as_boolean(self.bind(node), node, clause)

    def _as_boolean(self, expr: Expr, node: Any, clause: str) -> Expr:
        if expr.type == UNKNOWN:
            return coerce(expr, BOOLEAN)
        if expr.type != BOOLEAN:
            raise InvalidRequest(
                f"argument of {clause} must be type boolean, not type {shown(expr.type)}"
                f"{self.binding.place(node)}",
                "42804",
            )
        return expr

    def bind(self, node: Any) -> Expr:
        """Any expression. Its type may be UNKNOWN if it is an untyped literal."""
        match node:
            case tree.Constant():
                return self._constant(node)
            case tree.NameRef():
                return self._name(node)
            case tree.Operator():
                return self._operator(node)
            case tree.FuncCall():
                return self.call(node)
            case tree.BoolExpr():
                word = node.op.upper()
                args = tuple(self.boolean(arg, word) for arg in node.args)
                return Call(type=BOOLEAN, fn=node.op, args=args)
            case tree.TypeCast():
                return self.cast(node)
            case tree.IsTest():
                return self._is(node)
            case tree.IsJson():
                return self._is_json(node)
            case tree.Between():
                return self._between(node)
            case tree.InTest():
                return self._in(node)
            case tree.LikeTest():
                return self._like(node)
            case tree.CaseExpr():
                return self._case(node)
            case tree.ParameterRef():
                return self.binding.parameter(node)
            case _:
                return self._other(node)

    def _other(self, node: Any) -> Expr:
        match node:
            case tree.QueryExpr():
                relation = self._single(node.query, node)
                column = relation.columns[0]
                return Subquery(
                    type=column.type, kind="scalar", relation=relation, columns=(column,)
                )
            case tree.Exists():
                relation = self._queries(node.query, self.scope)
                return Subquery(type=BOOLEAN, kind="exists", relation=relation)
            case tree.Quantified():
                return self._quantified(node)
            case tree.ArrayExpr():
                return self._array(node)
            case tree.ArrayQuery():
                return self._array_query(node)
            case tree.RowExpr():
                return self.row([part for item in node.items for part in self.expanded(item)])
            case tree.Subscript():
                return self._subscript(node)
            case tree.Slice():
                low = (
                    Literal(type=types.INTEGER, value=None)
                    if node.low is None
                    else self.bind(node.low)
                )
                high = (
                    Literal(type=types.INTEGER, value=None)
                    if node.high is None
                    else self.bind(node.high)
                )
                return self._resolved("slice", [self.bind(node.arg), low, high], node)
            case tree.FieldAccess():
                return self._field(node)
            case tree.Collate():
                return self._collate(node)
            case tree.Star():
                return self._whole_row(node)
            case _:
                raise NotYet(f"{type(node).__name__} is not available here")

    # --- leaves -----------------------------------------------------------------------------------

    def _constant(self, node: tree.Constant) -> Expr:
        match node.kind:
            case "null":
                return Literal(type=UNKNOWN, value=None)
            case "bool":
                return Literal(type=BOOLEAN, value=node.value == "true")
            case "number":
                return number(node.value)
            case "string":
                return Literal(type=UNKNOWN, value=node.value)
            case "bytes":
                try:
                    return Literal(type=BYTEA, value=bytes.fromhex(node.value))
                except ValueError:
                    raise InvalidRequest(
                        f"X'{node.value}' is no hexadecimal{self.binding.place(node)}", "22P02"
                    ) from None
            case _:
                raise InvalidRequest(
                    f"DEFAULT is not allowed in this context{self.binding.place(node)}", "42601"
                )

    def _name(self, node: tree.NameRef) -> Expr:
        try:
            return self.scope.find(node.parts, lambda: self.binding.place(node))
        except UnknownObject:
            if self.scope.find_table(node.parts) is None:
                raise
            return self._whole_row(tree.Star(node.at, node.parts))

    def _whole_row(self, node: tree.Star) -> Expr:
        table = self.scope.find_table(node.parts) if node.parts else None
        if table is None:
            raise InvalidRequest(f"* is not allowed here{self.binding.place(node)}", "42601")
        args = tuple(settled(column.expr) for column in table.columns)
        if table.scalar:
            return args[0]
        found = self._row_of_table(table, args)
        if table.presence is None or not args:
            return found
        beside = frozenset(arg.id for arg in args if isinstance(arg, ColumnRef))
        self.binding.presences[table.presence.id] = Presence(table.presence, beside)
        return where_present(table.presence, found)

    def _row_of_table(self, table: ScopeTable, args: tuple[Expr, ...]) -> Expr:
        names = table.fields or tuple(column.name for column in table.columns)
        if len(set(names)) < len(args):
            return self.row(list(args))
        fields = tuple((name, arg.type) for name, arg in zip(names, args, strict=True))
        kind = StructType(name=table.alias or "record", fields=fields)  # type: ignore[arg-type]
        return Call(type=kind, fn="row", args=args)

    def expanded(self, node: Any) -> list[Expr]:
        """An item of ROW(…) or VALUES, where `t.*` stands for the columns of `t`."""
        if isinstance(node, tree.Star):
            table = self.scope.find_table(node.parts) if node.parts else None
            if table is not None:
                return [settled(column.expr) for column in table.columns]
        if isinstance(node, tree.FieldAccess) and node.name is None:
            names = self.row_names(node)
            return [self.bind(tree.FieldAccess(node.at, node.arg, name)) for name in names]
        return [self.bind(node)]

    def row_names(self, node: tree.FieldAccess) -> list[str]:
        """The names that `(row).*` stands for. Raises InvalidRequest: it is no row (42809)."""
        table = self._renamed_table(node.arg)
        if table is not None:
            return [column.name for column in table.columns]
        kind = self.bind(node.arg).type
        names = _field_names(kind)
        if not names:
            raise InvalidRequest(
                f"type {shown(kind)} is not composite{self.binding.place(node)}", "42809"
            )
        return names

    def _renamed_table(self, node: Any) -> ScopeTable | None:
        """The table whose whole row this is, if FROM renames its columns."""
        if not isinstance(node, tree.NameRef | tree.Star) or not node.parts:
            return None
        table = self.scope.find_table(node.parts)
        if table is None or not table.fields:
            return None
        if isinstance(node, tree.NameRef):
            try:
                self.scope.find(node.parts, lambda: "")
            except UnknownObject:
                return table
            return None
        return table

    # --- operators --------------------------------------------------------------------------------

    def _place_of(self, node: Any) -> Callable[[], str]:
        return lambda: self.binding.place(node)

    def _resolved(self, name: str, args: list[Expr], node: Any, *, operator: bool = False) -> Expr:
        entry, bound, kind = resolve(name, args, operator=operator, place=self._place_of(node))
        return Call(type=kind, fn=entry.signature.key, args=bound)

    def _operator(self, node: tree.Operator) -> Expr:
        if len(node.args) == 2:
            return self._binary_chain(node)
        (only,) = node.args
        args = [self.bind(only)]
        return self._resolved(node.op, args, node, operator=True)

    def _binary_chain(self, node: tree.Operator) -> Expr:
        """`a + b + c + …` without recursing into the left side."""
        spine: list[tree.Operator] = []
        inner: Any = node
        while isinstance(inner, tree.Operator) and len(inner.args) == 2:
            spine.append(inner)
            inner = inner.args[0]
        left = self.bind(inner)
        while spine:
            operator = spine.pop()
            other = operator.args[1]
            if row_parts(left) is not None and isinstance(other, tree.QueryExpr):
                right = self._row_of(other)
            else:
                right = self.bind(other)
            left = self._binary(operator, left, right)
        return left

    def _binary(self, node: tree.Operator, left: Expr, right: Expr) -> Expr:
        if node.op in COMPARISONS:
            self._same_width(left, right, node)
            return compare(node.op, left, right, self._place_of(node))
        return self._resolved(node.op, [left, right], node, operator=True)

    def _same_width(self, left: Expr, right: Expr, node: Any) -> None:
        ours, theirs = row_parts(left), row_parts(right)
        if ours is not None and theirs is not None and len(ours) != len(theirs):
            raise InvalidRequest(
                f"unequal number of entries in row expressions{self.binding.place(node)}", "42601"
            )

    def _is(self, node: tree.IsTest) -> Expr:
        arg = self.bind(node.arg)
        negated = "not " if node.negated else ""
        if node.test == "distinct":
            other = self.bind(node.other)
            self._same_width(arg, other, node)
            fn = "is not distinct" if node.negated else "is distinct"
            return compare(fn, arg, other, self._place_of(node))
        if node.test == "null":
            parts = row_parts(arg)
            if parts is not None:
                tests = tuple(_null_test(part, negated) for part in parts)
                if not tests:
                    return Literal(type=BOOLEAN, value=True)
                return tests[0] if len(tests) == 1 else Call(type=BOOLEAN, fn="and", args=tests)
            return Call(type=BOOLEAN, fn=f"is {negated}null", args=(self.typed(arg),))
        arg = self._as_boolean(arg, node.arg, f"IS {negated.upper()}{node.test.upper()}")
        return Call(type=BOOLEAN, fn=f"is {negated}{node.test}", args=(arg,))

    def _is_json(self, node: tree.IsJson) -> Expr:
        arg = self.typed(self.bind(node.arg))
        if base_name(arg.type) not in ("text", "varchar", "bpchar", "bytea", "json", "jsonb"):
            raise InvalidRequest(
                f"cannot use type {shown(arg.type)} in IS JSON predicate{self.binding.place(node)}",
                "42804",
            )
        if base_name(arg.type) == "bpchar":
            arg = coerce(arg, TEXT)
        kind = Literal(type=TEXT, value=node.kind)
        unique = Literal(type=BOOLEAN, value=node.unique)
        found = self._resolved("is json", [arg, kind, unique], node)
        return negated(found) if node.negated else found

    def typed(self, expr: Expr) -> Expr:
        """An untyped literal as TEXT; everything else as it is."""
        return settled(expr)

    def _between(self, node: tree.Between) -> Expr:
        arg, low, high = self.bind(node.arg), self.bind(node.low), self.bind(node.high)
        place = self._place_of(node)

        def within(a: Expr, b: Expr) -> Expr:
            parts = (compare(">=", arg, a, place), compare("<=", arg, b, place))
            return Call(type=BOOLEAN, fn="and", args=parts)

        found = within(low, high)
        if node.symmetric:
            found = Call(type=BOOLEAN, fn="or", args=(found, within(high, low)))
        return negated(found) if node.negated else found

    def _like(self, node: tree.LikeTest) -> Expr:
        arg, pattern = self.bind(node.arg), self.bind(node.pattern)
        escape = None if node.escape is None else self.bind(node.escape)
        if node.kind == "similar":
            args = [pattern] if escape is None else [pattern, escape]
            pattern = self._resolved("similar_to_escape", args, node)
            found = self._resolved("~", [arg, pattern], node, operator=True)
        else:
            if escape is not None:
                pattern = self._resolved("like_escape", [pattern, escape], node)
            found = self._resolved(_LIKE[node.kind], [arg, pattern], node, operator=True)
        return negated(found) if node.negated else found

    # --- CASE, casts, arrays, rows ----------------------------------------------------------------

    def _case(self, node: tree.CaseExpr) -> Expr:
        operand = None if node.operand is None else self.typed(self.bind(node.operand))
        outer, self._guard = self._guard, "CASE"
        conditions: list[Expr] = []
        results: list[Expr] = []
        for condition, result in node.branches:
            if operand is None:
                conditions.append(self.boolean(condition, "CASE/WHEN"))
            else:
                other = self.bind(condition)
                conditions.append(compare("=", operand, other, self._place_of(condition)))
            results.append(self.bind(result))
        default = (
            Literal(type=UNKNOWN, value=None) if node.default is None else self.bind(node.default)
        )
        self._guard = outer
        (*results, default), kind = agreed([*results, default], "CASE")
        return Case(
            type=kind, branches=tuple(zip(conditions, results, strict=True)), default=default
        )

    def _array(self, node: tree.ArrayExpr) -> Expr:
        items = [self.bind(item) for item in node.items]
        if not items:
            raise InvalidRequest(
                f"cannot determine type of empty array{self.binding.place(node)};"
                " write for example ARRAY[]::integer[]",
                "42P18",
            )
        items, element = agreed(items, "ARRAY")
        if isinstance(element, ArrayType):
            raise NotYet("arrays of more than one dimension are not available")
        element = stored_element(element)
        kind = ArrayType(element=element)  # type: ignore[arg-type]
        return Call(type=kind, fn="array", args=tuple(coerce(item, element) for item in items))

    def _array_query(self, node: tree.ArrayQuery) -> Expr:
        relation = self._single(node.query, node)
        column = relation.columns[0]
        if isinstance(column.type, ArrayType):
            raise NotYet("arrays of more than one dimension are not available")
        kind = ArrayType(element=column.type)  # type: ignore[arg-type]
        return Subquery(type=kind, kind="array", relation=relation, columns=(column,))

    def row(self, items: list[Expr]) -> Expr:
        """ROW(items)."""
        args = tuple(items)
        return Call(type=RecordType(fields=tuple(a.type for a in args)), fn="row", args=args)

    def _subscript(self, node: tree.Subscript) -> Expr:
        arg, index = self.bind(node.arg), self.bind(node.index)
        if base_name(arg.type) == "jsonb":
            # An untyped or textual index is a step of a path: '1' is also the second element.
            if not is_integer(index.type):
                index = Call(type=TEXTS, fn="array", args=(coerce(index, TEXT),))
                return self._resolved("#>", [arg, index], node, operator=True)
            return self._resolved("->", [arg, index], node, operator=True)
        if not isinstance(arg.type, ArrayType):
            raise InvalidRequest(
                f"cannot subscript type {shown(arg.type)} because it does not support"
                f" subscripting{self.binding.place(node)}",
                "42804",
            )
        return self._resolved("subscript", [arg, index], node)

    def _field(self, node: tree.FieldAccess) -> Expr:
        if node.name is None:
            raise NotYet("(row).* is not available here")
        table = self._renamed_table(node.arg)
        if table is not None:
            assert isinstance(node.arg, tree.NameRef | tree.Star)
            return self.bind(tree.NameRef(node.at, (*node.arg.parts, node.name)))
        arg = self.bind(node.arg)
        kind = arg.type
        if isinstance(kind, StructType):
            for position, (name, inner) in enumerate(kind.fields, 1):
                if name == node.name:
                    which = Literal(type=types.INTEGER, value=position)
                    return Call(type=inner, fn="field", args=(arg, which))
        if isinstance(kind, RecordType) and node.name[:1] == "f" and node.name[1:].isdigit():
            position = int(node.name[1:])
            if 1 <= position <= len(kind.fields):
                which = Literal(type=types.INTEGER, value=position)
                return Call(type=kind.fields[position - 1], fn="field", args=(arg, which))
        if not isinstance(kind, StructType | RecordType):
            raise InvalidRequest(
                f"column notation .{node.name} applied to type {shown(kind)}, which is not a"
                f" composite type{self.binding.place(node)}",
                "42809",
            )
        raise UnknownObject(
            f'column "{node.name}" not found in data type {shown(kind)}{self.binding.place(node)}',
            "42703",
        )

    def _collate(self, node: tree.Collate) -> Expr:
        arg = self.typed(self.bind(node.arg))
        if not is_collatable(arg.type):
            raise InvalidRequest(
                f"collations are not supported by type {shown(arg.type)}{self.binding.place(node)}",
                "42804",
            )
        check_collation(node.name)
        return arg


def _field_names(kind: AnyType) -> list[str]:
    """The names of a row's fields; those of ROW(…) are f1, f2, …"""
    if isinstance(kind, StructType):
        return [name for name, _ in kind.fields]
    if isinstance(kind, RecordType):
        return [f"f{position}" for position in range(1, len(kind.fields) + 1)]
    return []


def _null_test(part: Expr, negated: str) -> Expr:
    """A part of a row: if it is a row itself, whether it is there, whatever is in it."""
    part = settled(part)
    if base_name(part.type) != "record":
        return Call(type=BOOLEAN, fn=f"is {negated}null", args=(part,))
    fn = "is distinct" if negated else "is not distinct"
    return Call(type=BOOLEAN, fn=fn, args=(part, Literal(type=part.type, value=None)))
