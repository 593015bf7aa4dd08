"""WITH RECURSIVE: the base, the step over the rows of the last round, types that hold for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from storage.errors import InvalidRequest, NotYet
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Subquery
from warehouse.algebra.relations import Relation
from warehouse.algebra.types import NUMERIC, UNKNOWN, AnyType, base_name, is_decimal, shown
from warehouse.algebra.walk import expressions, nodes, subexpressions
from warehouse.binder.tables import KnownCte
from warehouse.binder.types import common_type
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.binder.context import Binding
    from warehouse.binder.scope import Scope

__all__ = ["RecursionBinder", "mentions"]

_Ctes = Mapping[str, KnownCte]


class RecursionBinder:
    """The part of `QueryBinder` that knows recursion."""

    if TYPE_CHECKING:
        _binding: Binding

        def query(
            self,
            node: tree.QueryNode,
            scope: Scope | None,
            ctes: _Ctes,
            *,
            keep_unknown: bool = False,
        ) -> tuple[Relation, tuple[str, ...]]: ...
        def _with(self, node: tree.QueryNode, scope: Scope | None, ctes: _Ctes) -> _Ctes: ...
        def _cte_names(
            self, definition: tree.CteDef, names: tuple[str, ...]
        ) -> tuple[str, ...]: ...
        def _cast_columns(self, relation: Relation, kinds: Sequence[AnyType]) -> Relation: ...

    def _recursive(self, definition: tree.CteDef, scope: Scope | None, ctes: _Ctes) -> KnownCte:
        node = definition.query
        body = node.body
        while isinstance(body, tree.QueryNode) and not (body.with_ or body.order or body.limit):
            body = body.body
        if (
            not isinstance(body, tree.SetOp)
            or body.op != "union"
            or mentions(body.left, definition.name)
        ):
            raise InvalidRequest(
                f'recursive query "{definition.name}" does not have the form'
                " non-recursive-term UNION [ALL] recursive-term",
                "42P19",
            )
        if node.order or node.limit is not None or node.offset is not None:
            raise NotYet("ORDER BY, LIMIT or OFFSET in a recursive query is not implemented")
        inner = self._with(node, scope, ctes) if node.with_ else ctes
        base, names = self.query(body.left, scope, inner)
        names = self._cte_names(definition, names)
        kinds = tuple(column.type for column in base.columns)
        number = len(self._binding.ctes) + 1
        self._binding.ctes[number] = algebra.Cte(name=definition.name, relation=base)
        step = self._step(
            body.right, definition, scope, inner, KnownCte(number, names, kinds, True)
        )
        widened = self._recursion_types(definition, kinds, step)
        if widened != kinds:
            base, kinds = self._cast_columns(base, widened), widened
            step = self._step(
                body.right, definition, scope, inner, KnownCte(number, names, kinds, True)
            )
            step = self._cast_columns(step, kinds)
        outputs = tuple(
            self._binding.column(kind, name) for kind, name in zip(kinds, names, strict=True)
        )
        relation = algebra.Recursive(
            id=number, base=base, step=step, outputs=outputs, distinct=not body.all
        )
        self._binding.ctes[number] = algebra.Cte(name=definition.name, relation=relation)
        return KnownCte(number, names, kinds)

    def _step(
        self,
        node: tree.QueryNode,
        definition: tree.CteDef,
        scope: Scope | None,
        ctes: _Ctes,
        working: KnownCte,
    ) -> Relation:
        step, names = self.query(node, scope, {**ctes, definition.name: working}, keep_unknown=True)
        if len(names) != len(working.kinds):
            raise InvalidRequest("each UNION query must have the same number of columns", "42601")
        _check_step(step, definition.name, working.id)
        wanted = [
            kind if column.type == UNKNOWN else column.type
            for column, kind in zip(step.columns, working.kinds, strict=True)
        ]
        return self._cast_columns(step, wanted)

    def _recursion_types(
        self, definition: tree.CteDef, kinds: tuple[AnyType, ...], step: Relation
    ) -> tuple[AnyType, ...]:
        """The types of all rounds: exact numbers whose scale grows become NUMERIC."""
        found: list[AnyType] = []
        for position, (kind, column) in enumerate(zip(kinds, step.columns, strict=True)):
            if base_name(kind) == base_name(column.type):
                found.append(_of_both_rounds(kind, column.type))
                continue
            raise InvalidRequest(
                f'recursive query "{definition.name}" column {position + 1} has type'
                f" {shown(kind)} in non-recursive term but type {shown(column.type)} overall;"
                " cast the output of the non-recursive term to the correct type",
                "42804",
            )
        if tuple(found) == kinds and any(
            column.type != kind for column, kind in zip(step.columns, kinds, strict=True)
        ):
            found = [
                NUMERIC if is_decimal(kind) and column.type != kind else kind
                for kind, column in zip(kinds, step.columns, strict=True)
            ]
        return tuple(found)


def _of_both_rounds(base: AnyType, step: AnyType) -> AnyType:
    if base == step:
        return base
    if is_decimal(base) or base == NUMERIC:
        return NUMERIC if _scale(step) > _scale(base) else base
    return common_type([base, step], "UNION")


def _scale(kind: AnyType) -> int:
    return int(getattr(kind, "scale", 99))


def mentions(node: Any, name: str) -> bool:
    """Does the syntax tree name a table `name`?"""
    if isinstance(node, tree.TableRef) and node.name == (name,):
        return True
    if isinstance(node, msgspec.Struct):
        return any(mentions(getattr(node, field), name) for field in node.__struct_fields__)
    if isinstance(node, tuple):
        return any(mentions(item, name) for item in node)
    return False


# --- where a step may refer to itself -------------------------------------------------------------


def _check_step(step: Relation, name: str, number: int) -> None:
    """Raises InvalidRequest (42P19) for a reference that rounds cannot compute.

    Source: PostgreSQL, checkWellFormedRecursion in parse_cte.c.
    """

    def refused(where: str) -> InvalidRequest:
        return InvalidRequest(
            f'recursive reference to query "{name}" must not appear {where}', "42P19"
        )

    if _references(step, number) > 1:
        raise refused("more than once")
    for node in nodes(step, subqueries=False):
        for expr in expressions(node):
            for part in subexpressions(expr):
                if isinstance(part, Subquery) and _references(part.relation, number):
                    raise refused("within a subquery")
        match node:
            case algebra.Aggregate() if _references(node.input, number):
                raise InvalidRequest(
                    "aggregate functions are not allowed in a recursive query's recursive term",
                    "42P19",
                )
            case algebra.Join(kind="left", right=side) if _references(side, number):
                raise refused("within an outer join")
            case algebra.Join(kind="right", left=side) if _references(side, number):
                raise refused("within an outer join")
            case algebra.Join(kind="full") if _references(node, number):
                raise refused("within an outer join")
            case algebra.SetOperation(kind="except", right=side) if _references(side, number):
                raise refused("within EXCEPT")
            case algebra.Sort() | algebra.Limit() if _references(node, number):
                raise NotYet(
                    f"ORDER BY or LIMIT in the recursive term of {name} is not implemented"
                )
            case _:
                pass


def _references(relation: Relation, number: int) -> int:
    """How often the working table stands in the relation, subqueries included."""
    return sum(
        isinstance(node, algebra.WorkingTable) and node.id == number for node in nodes(relation)
    )
