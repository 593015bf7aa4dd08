"""Scopes: which columns a name can mean, from the innermost query outwards.

A scope is the FROM of one query. A table reference hides nothing; a name that two of them have is
ambiguous unless JOIN … USING merged it. What an inner scope does not know is looked up in the one
around it: that is what makes a subquery correlated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from warehouse.algebra.expressions import ColumnRef, Expr

if TYPE_CHECKING:
    from warehouse.binder.context import Collector

__all__ = ["Scope", "ScopeColumn", "ScopeTable"]


@dataclass(frozen=True, slots=True)
class ScopeColumn:
    """A column as a query names it; `expr` is what the name means."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """A table reference: its alias (None: its columns have no qualifier), schema and columns.

    `hidden`: names that USING has merged, which stand unqualified for the merged column.
    `scalar`: a function that returns one value per row: its alias means that value.
    `fields`: what its rows call their columns, if that is not what FROM calls them: aliases of
    columns do not change a table's type.
    `presence`: of the side of an outer join that may be missing: true where it is not.
    """

    alias: str | None
    columns: tuple[ScopeColumn, ...]
    schema: str | None = None
    hidden: frozenset[str] = frozenset()
    scalar: bool = False
    fields: tuple[str, ...] = ()
    presence: ColumnRef | None = None


@dataclass(slots=True)
class Scope:
    """See the module.

    Attributes:
        tables: in the order of FROM.
        parent: the scope around, if any.
        columns: ids of the columns that belong here.
        collector: of the SELECT list, for aggregates that a subquery computes of this scope.
    """

    tables: list[ScopeTable] = field(default_factory=list)
    parent: Scope | None = None
    columns: set[int] = field(default_factory=set)
    collector: Collector | None = None

    def add(self, table: ScopeTable) -> None:
        """Raises InvalidRequest (42712) if the alias is taken."""
        if table.alias is not None and any(
            t.alias == table.alias and t.schema == table.schema for t in self.tables
        ):
            raise InvalidRequest(f'table name "{table.alias}" specified more than once', "42712")
        self.tables.append(table)
        self.columns |= {c.expr.id for c in table.columns if isinstance(c.expr, ColumnRef)}
        if table.presence is not None:
            self.columns.add(table.presence.id)

    def find(self, parts: tuple[str, ...], place: Callable[[], str]) -> Expr:
        """What `a`, `t.a` or `s.t.a` means, here or further out.

        Raises:
            UnknownObject: no such column (42703) or table (42P01). InvalidRequest: several (42702).
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(parts, place)
            if found is not None:
                return found
            scope = scope.parent
        raise self._missing(parts, place())

    def _own(self, parts: tuple[str, ...], place: Callable[[], str]) -> Expr | None:
        name = parts[-1]
        if len(parts) == 1:
            found = [
                column.expr
                for table in self.tables
                if name not in table.hidden
                for column in table.columns
                if column.name == name
            ]
        else:
            table = self.table(parts[:-1])
            if table is None:
                return None
            found = [column.expr for column in table.columns if column.name == name]
            if not found:
                hint = nearest(name, [column.name for column in table.columns])
                raise UnknownObject(
                    f"column {'.'.join(parts)} does not exist{place()}{hint}", "42703"
                )
        if len(found) > 1:
            holders = [
                table.alias or "?"
                for table in self.tables
                if any(column.name == name for column in table.columns)
            ]
            raise InvalidRequest(
                f'column reference "{name}" is ambiguous{place()}:'
                f" {' and '.join(dict.fromkeys(holders))} have it",
                "42702",
            )
        return found[0] if found else None

    def table(self, parts: tuple[str, ...]) -> ScopeTable | None:
        """The table reference `t` or `s.t` of this scope alone."""
        for table in self.tables:
            if table.alias == parts[-1] and parts[:-1] in ((), (table.schema,)):
                return table
        return None

    def find_table(self, parts: tuple[str, ...]) -> ScopeTable | None:
        """The table reference, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.table(parts)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def missing_table(self, parts: tuple[str, ...], place: str) -> UnknownObject:
        """The error for `t.*` without such a table reference."""
        return self._missing((*parts, "*"), place)

    def _missing(self, parts: tuple[str, ...], place: str) -> UnknownObject:
        scope: Scope | None = self
        aliases: list[str] = []
        names: list[str] = []
        while scope is not None:
            aliases += [table.alias for table in scope.tables if table.alias]
            names += [column.name for table in scope.tables for column in table.columns]
            scope = scope.parent
        if len(parts) > 1:
            return UnknownObject(
                f"missing FROM-clause entry for table {'.'.join(parts[:-1])}{place}"
                f"{nearest(parts[-2], aliases)}",
                "42P01",
            )
        return UnknownObject(
            f"column {parts[0]} does not exist{place}{nearest(parts[0], names)}", "42703"
        )
