"""WITH RECURSIVE: the base, the step over the rows of the last round, types that hold for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from storage.errors import InvalidRequest, NotYet
from warehouse.algebra import relations as algebra
from warehouse.algebra.relations import Relation
from warehouse.algebra.types import NUMERIC, UNKNOWN, AnyType, base_name, is_decimal, shown
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
