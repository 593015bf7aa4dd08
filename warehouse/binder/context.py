"""What binding one statement needs and makes: the catalogue, parameters, column numbers, CTEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from storage.errors import InvalidRequest
from warehouse.algebra.expressions import AggregateCall, ColumnRef, Expr, Literal, WindowCall
from warehouse.algebra.relations import Cte
from warehouse.algebra.types import AnyType
from warehouse.binder.constants import value_literal
from warehouse.binder.objects import SystemObjects
from warehouse.binder.presence import Presence
from warehouse.syntax.place import line_and_column
from warehouse.syntax.tree import AsOf, FuncCall, Node, ParameterRef, WindowSpec

__all__ = ["Binding", "Catalogue", "Collector", "TableSource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A table as FROM finds it: the name of its input and its columns (name, type).

    `rows`: a catalogue table's own rows instead of an input. `held`: the types that the input's
    columns have until they are cast; None: those of `columns`.
    """

    input: str
    schema: str
    name: str
    columns: tuple[tuple[str, AnyType], ...]
    rows: tuple[tuple[Any, ...], ...] | None = None
    held: tuple[AnyType, ...] | None = None


class Catalogue(Protocol):
    """What names mean at the statement's snapshots."""

    @property
    def types(self) -> Mapping[tuple[str, str], AnyType]:
        """User-defined types by (schema, name)."""
        ...

    @property
    def path(self) -> Sequence[str]:
        """The schemas that an unqualified name is looked up in."""
        ...

    def table(self, name: tuple[str, ...], as_of: AsOf | None) -> TableSource:
        """Raises UnknownObject with the nearest name."""
        ...

    def files(
        self, function: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> TableSource:
        """Files as a table: `read_parquet`, `read_csv`, `read_ndjson`."""
        ...

    def observed_table(self, name: str, *arguments: Any) -> TableSource:
        """What a function of the schema `mobula` gives. Raises UnknownObject (42883)."""
        ...

    def udf(self, name: str) -> tuple[tuple[AnyType, ...], AnyType] | None:
        """Argument types and result type of a Python function of the session."""
        ...

    @property
    def system(self) -> SystemObjects | None:
        """The objects that `regclass` and functions of the catalogue are about, if any."""
        ...


@dataclass(slots=True)
class Collector:
    """The calls of one SELECT that its other nodes compute; None: not allowed here.

    `where` names the clause, for the refusal; `inside`: how many aggregates' arguments are being
    bound.
    """

    where: str
    aggregates: list[tuple[ColumnRef, AggregateCall]] | None = None
    windows: list[tuple[ColumnRef, WindowCall]] | None = None
    tables: list[tuple[tuple[ColumnRef, ...], Expr]] | None = None
    inside: int = 0
    grouping: list[FuncCall] = field(default_factory=list)
    definitions: Mapping[str, WindowSpec] = field(default_factory=dict)


class Binding:
    """One statement's binding."""

    def __init__(
        self,
        text: str,
        catalogue: Catalogue,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
    ) -> None:
        self.text = text
        self.catalogue = catalogue
        self.ctes: dict[int, Cte] = {}
        self.labels: dict[int, str] = {}
        self.used: set[str] = set()
        self.presences: dict[int, Presence] = {}  # asked for, and not yet placed
        self._parameters = parameters
        self._next = 0

    def column(self, kind: AnyType, label: str) -> ColumnRef:
        """A new column."""
        self._next += 1
        self.labels[self._next] = label
        return ColumnRef(type=kind, id=self._next)

    @property
    def next_id(self) -> int:
        return self._next + 1

    def place(self, node: Node) -> str:
        """` (line 1, column 8)`."""
        line, column = line_and_column(self.text, node.at)
        return f" (line {line}, column {column})"

    def parameter(self, node: ParameterRef) -> Literal:
        """The bound value. Raises InvalidRequest (42P02) if there is none."""
        self.used.add(node.name)
        given = self._parameters
        if isinstance(given, Mapping):
            if node.name in given:
                return value_literal(given[node.name], node.name)
        elif node.name.isdigit() and 1 <= int(node.name) <= len(given):
            return value_literal(given[int(node.name) - 1], node.name)
        raise InvalidRequest(
            f"there is no parameter ${node.name}: {len(given)} were given{self.place(node)}",
            "42P02",
        )

    def check_parameters(self) -> None:
        """Raises InvalidRequest (08P01) if a parameter was given and not used."""
        given = self._parameters
        names = (
            set(given) if isinstance(given, Mapping) else {str(i + 1) for i in range(len(given))}
        )
        if unused := sorted(names - self.used):
            raise InvalidRequest(
                f"{len(given)} parameters were given; the statement does not use"
                f" {', '.join('$' + name for name in unused)}",
                "08P01",
            )
