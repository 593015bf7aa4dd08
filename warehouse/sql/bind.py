"""Binding: names become tables at a version, columns of them, and types.

1. Fold unquoted names to lower case, as PostgreSQL does.
2. Name every unnamed output as PostgreSQL names it (`count`, `?column?`, …).
3. Resolve each table reference (CTEs shadow tables; schema, or the session's path) in the snapshot
   that its AS OF clause asks for. Each reference gets an input name of its own, so that the same
   table at two versions, or twice, is no special case.
4. Qualify columns (sqlglot), refuse what stays unresolved, with the nearest name; type the tree.

Invariant: afterwards every base table in the tree is named after a scan in `Bound.scans`, every
column names its source, and the output names of each SELECT are distinct.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify_columns import qualify_columns
from sqlglot.optimizer.qualify_tables import qualify_tables
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from actors.messages import Session
from actors.planner import Latest, Version
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import Column
from storage.snapshot.model import Snapshot, TableState
from warehouse.sql.dialect import Mobula
from warehouse.sql.naming import name_outputs
from warehouse.sql.outputs import separate_outputs
from warehouse.sql.parse import version_of
from warehouse.sql.series import SERIES, fold_limits, series_as_query
from warehouse.sql.types import sqlglot_type

__all__ = ["Bound", "Source", "bind", "find_table", "trace_column"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table reference: the table's state in one snapshot."""

    table: TableState
    version: Version
    lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A query whose names are resolved and whose expressions are typed.

    `scans` maps the input name of each base-table reference to its source; `names` are the output
    names as the user sees them, which may repeat.
    """

    tree: exp.Query
    scans: Mapping[str, Source]
    names: tuple[str, ...]


def bind(tree: exp.Query, snapshots: Mapping[Version, Snapshot], session: Session) -> Bound:
    """Resolve and type a query; changes `tree`.

    Raises:
        UnknownObject: table (42P01), column (42703) or schema (3F000), with the nearest name.
        InvalidRequest: ambiguous column (42702), or what sqlglot cannot resolve.
        NotYet: table functions, whole-row references.
    """
    tree = normalize_identifiers(tree, dialect=Mobula)
    fold_limits(tree)
    name_outputs(tree)
    scans = _resolve_tables(tree, snapshots, session)
    columns: dict[str, object] = {
        name: {c.name: sqlglot_type(c.type) for c in source.table.columns}
        for name, source in scans.items()
    }
    schema = MappingSchema(columns, dialect=Mobula, normalize=False)
    try:
        tree = qualify_tables(tree, dialect=Mobula)
        tree = qualify_columns(tree, schema, allow_partial_qualification=True, dialect=Mobula)
    except OptimizeError as error:
        raise InvalidRequest(f"the query cannot be resolved: {error}", "42703") from None
    _check_columns(tree, scans)
    names = tuple(tree.named_selects)
    _make_distinct(tree)
    separate_outputs(tree, _holders(tree, scans))
    return Bound(tree=annotate_types(tree, schema=schema, dialect=Mobula), scans=scans, names=names)


# --- tables ---------------------------------------------------------------------------------------


def find_table(snapshot: Snapshot, reference: exp.Table, session: Session) -> TableState:
    """The table that a (folded) name means. Raises UnknownObject with the nearest name."""
    if reference.catalog:
        raise NotYet(f"{reference.catalog}.{reference.db}.…: other databases are not available yet")
    path = (reference.db,) if reference.db else session.schema_path
    for schema in path:
        if reference.db and snapshot.schema_id(schema) is None:
            hint = nearest(schema, snapshot.schemas.values())
            raise UnknownObject(f"schema {schema} does not exist{hint}", "3F000")
        table = snapshot.find_table(reference.name, schema)
        if table is not None:
            return table
    ids = {snapshot.schema_id(schema) for schema in path}
    known = [table.name for table in snapshot.tables.values() if table.schema_id in ids]
    name = f"{reference.db}.{reference.name}" if reference.db else reference.name
    hint = nearest(reference.name, known)
    raise UnknownObject(f"table {name} does not exist at LSN {snapshot.lsn}{hint}", "42P01")


def _resolve_tables(
    tree: exp.Query, snapshots: Mapping[Version, Snapshot], session: Session
) -> dict[str, Source]:
    taken = {cte.alias for cte in tree.find_all(exp.CTE)}
    scans: dict[str, Source] = {}
    for table, is_cte in _references(tree):
        if not isinstance(table.this, exp.Identifier):
            _check_table_function(table)
            continue
        clause = table.args.get("version")
        if is_cte:
            if clause is not None:
                raise InvalidRequest(f"{table.name} is a CTE: AS OF applies to tables", "42P01")
            continue
        version = version_of(clause)
        snapshot = snapshots.get(version) or snapshots[Latest()]
        state = find_table(snapshot, table, session)
        name = _free_name(table.name, taken)
        taken.add(name)
        scans[name] = Source(table=state, version=version, lsn=snapshot.lsn)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        table.set("this", exp.to_identifier(name, quoted=True))
        table.set("db", None)
        table.set("version", None)
    return scans


def _references(tree: exp.Query) -> list[tuple[exp.Table, bool]]:
    """Every table reference, and whether it means a CTE."""
    found: dict[int, tuple[exp.Table, bool]] = {}
    for scope in traverse_scope(tree):
        for table in scope.tables:
            is_cte = not table.db and table.name in scope.cte_sources
            found.setdefault(id(table), (table, is_cte))
    for table in tree.find_all(exp.Table):
        found.setdefault(id(table), (table, False))
    return list(found.values())


def _check_table_function(table: exp.Table) -> None:
    if isinstance(table.this, SERIES):
        series_as_query(table)
        return
    name = table.this.sql(dialect=Mobula)
    raise NotYet(f"FROM {name}: reading files and table functions are not available yet")


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


# --- columns --------------------------------------------------------------------------------------


def _check_columns(tree: exp.Query, scans: Mapping[str, Source]) -> None:
    if whole := tree.find(exp.TableColumn):
        raise NotYet(f"{whole.name}: whole-row references are not available yet")
    for scope in traverse_scope(tree):
        if not isinstance(scope.expression, exp.Select):
            continue
        for column in scope.unqualified_columns:
            raise _unresolved(column, scope, scans)
        for column in scope.columns:
            if column.table:
                _check_qualified(column, scope, scans)


def _check_qualified(column: exp.Column, scope: Scope, scans: Mapping[str, Source]) -> None:
    outer: Scope | None = scope
    aliases: list[str] = []
    while outer is not None:
        if column.table in outer.selected_sources:
            known = _columns_of(outer.selected_sources[column.table][1], scans)
            if known is not None and known.count(column.name) > 1:
                raise InvalidRequest(
                    f"column {column.table}.{column.name} is ambiguous: {column.table} has it more"
                    f" than once{_place(column)}; give its outputs different names",
                    "42702",
                )
            if known is not None and column.name not in known:
                raise UnknownObject(
                    f"column {column.table}.{column.name} does not exist{_place(column)}"
                    f"{nearest(column.name, known)}",
                    "42703",
                )
            return
        aliases += outer.selected_sources
        outer = outer.parent
    raise UnknownObject(
        f"{column.table}.{column.name}: no table {column.table} in FROM{_place(column)}"
        f"{nearest(column.table, aliases)}",
        "42P01",
    )


def _unresolved(column: exp.Column, scope: Scope, scans: Mapping[str, Source]) -> InvalidRequest:
    outer: Scope | None = scope
    known: list[str] = []
    while outer is not None:
        columns = {
            alias: _columns_of(source, scans) or []
            for alias, (_, source) in outer.selected_sources.items()
        }
        holders = [alias for alias, names in columns.items() if column.name in names]
        if len(holders) > 1:
            return InvalidRequest(
                f"column {column.name} is ambiguous: {' and '.join(holders)} have it"
                f"{_place(column)}",
                "42702",
            )
        known += [name for names in columns.values() for name in names]
        outer = outer.parent
    hint = nearest(column.name, known)
    return UnknownObject(f"column {column.name} does not exist{_place(column)}{hint}", "42703")


def _columns_of(source: exp.Expr | Scope, scans: Mapping[str, Source]) -> list[str] | None:
    """The names a source offers, or None when only Polars knows."""
    if isinstance(source, exp.Table):
        found = scans.get(source.name)
        return [c.name for c in found.table.columns] if found else None
    if isinstance(source, Scope) and isinstance(source.expression, exp.Query):
        names = list(source.expression.named_selects)
        return None if "*" in names else names
    return None


def _place(column: exp.Column) -> str:
    line, end = column.this.meta.get("line"), column.this.meta.get("col")
    if not line or not end:
        return ""
    return f" (line {line}, column {max(1, end - len(column.name) + 1)})"


def _holders(tree: exp.Query, scans: Mapping[str, Source]) -> Callable[..., list[str]]:
    """A function from a SELECT and a name to the sources in its FROM that have such a column."""
    scopes = {id(scope.expression): scope for scope in traverse_scope(tree)}

    def holders(select: exp.Select, name: str) -> list[str]:
        scope = scopes.get(id(select))
        sources = scope.selected_sources.items() if scope else ()
        return [a for a, (_, source) in sources if name in (_columns_of(source, scans) or [])]

    return holders


# --- outputs --------------------------------------------------------------------------------------


def _make_distinct(tree: exp.Query) -> None:
    """Number repeated output names: Polars wants them distinct, and nobody can refer to them."""
    for select in tree.find_all(exp.Select):
        names = [projection.alias_or_name for projection in select.expressions]
        taken: set[str] = set()
        for projection, name in zip(list(select.expressions), names, strict=True):
            free = _free_name(name, taken | set(names)) if name in taken else name
            taken.add(free)
            if free != name:
                projection.replace(exp.alias_(projection.unalias().copy(), free, quoted=True))


def trace_column(scope: Scope, position: int, scans: Mapping[str, Source]) -> Column | None:
    """The table column that an output is a plain copy, minimum or maximum of, or None.

    Follows derived tables and CTEs; set operations and other expressions give None.
    """
    query = scope.expression
    if not isinstance(query, exp.Select) or position >= len(query.expressions):
        return None
    expression = query.expressions[position].unalias()
    if isinstance(expression, exp.Min | exp.Max):
        expression = expression.this
    if not isinstance(expression, exp.Column):
        return None
    source = scope.selected_sources.get(expression.table, (None, None))[1]
    if isinstance(source, exp.Table):
        found = scans.get(source.name)
        return found.table.schema.find(expression.name) if found else None
    if isinstance(source, Scope) and isinstance(source.expression, exp.Select):
        names = source.expression.named_selects
        if expression.name in names:
            return trace_column(source, names.index(expression.name), scans)
    return None
