"""From a bound query to a `QueryPlan`: rewrite, prune, order joins, share scans, write Polars' SQL.

Two references to one table at one version with the same files left become one input; Polars then
reads it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from actors.messages import Session
from actors.planner import PlannedScan, QueryPlan, Version
from storage.schema import Column, SqlType
from storage.snapshot.model import Snapshot
from warehouse.sql.bind import Bound, Source, bind, trace_column
from warehouse.sql.join_order import order_joins
from warehouse.sql.polars_sql import polars_sql
from warehouse.sql.predicates import Conjunct, conjuncts_of
from warehouse.sql.prune import prune
from warehouse.sql.rewrite import rewrite

__all__ = ["VersionedScan", "plan_query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedScan(PlannedScan):
    """A planned scan that remembers for EXPLAIN which schema and version it reads."""

    schema: str
    version: Version
    lsn: int


def plan_query(
    tree: exp.Query, snapshots: Mapping[Version, Snapshot], session: Session
) -> QueryPlan:
    """Bind, rewrite and prune a query; changes `tree`.

    Raises UnknownObject, InvalidRequest, NotYet as `bind` and `rewrite` do.
    """
    bound = bind(tree, snapshots, session)
    query = rewrite(bound.tree)
    scopes = traverse_scope(query)
    conjuncts = conjuncts_of(scopes, bound.scans)
    scans = {
        name: _scan(name, source, conjuncts[name], query, snapshots)
        for name, source in bound.scans.items()
    }
    top = scopes[-1]
    types: list[SqlType | None] = []
    for position in range(len(bound.names)):
        column = trace_column(top, position, bound.scans)
        types.append(column.type if column else None)
    order_joins(scopes, scans)
    shared = _share(query, bound, scans)
    return QueryPlan(
        sql=polars_sql(query),
        scans=shared,
        result_names=bound.names,
        result_types=tuple(types),
    )


def _scan(
    name: str,
    source: Source,
    conjuncts: list[Conjunct],
    query: exp.Query,
    snapshots: Mapping[Version, Snapshot],
) -> VersionedScan:
    pruned = prune(source.table, conjuncts)
    snapshot = snapshots[source.version]
    return VersionedScan(
        alias=name,
        table=source.table,
        columns=_columns(name, source, query),
        files=pruned.files,
        predicate=_text([c for c in pruned.used if c.own]),
        schema=snapshot.schemas.get(source.table.schema_id, "?"),
        version=source.version,
        lsn=source.lsn,
    )


def _columns(name: str, source: Source, query: exp.Query) -> tuple[Column, ...]:
    """The columns that the query names of this reference; one if it only counts rows."""
    used: set[str] = set()
    for table in query.find_all(exp.Table):
        if table.name != name:
            continue
        select = table.find_ancestor(exp.Select)
        if select is not None:
            alias = table.alias_or_name
            used |= {c.name for c in select.find_all(exp.Column) if c.table == alias}
    columns = source.table.columns
    return tuple(c for c in columns if c.name in used) or columns[:1]


def _text(conjuncts: list[Conjunct]) -> str | None:
    """The conjuncts as Polars SQL over bare column names."""
    parts = []
    for conjunct in conjuncts:
        condition = conjunct.condition.copy()
        for column in condition.find_all(exp.Column):
            column.set("table", None)
        text = polars_sql(condition)
        parts.append(f"({text})" if isinstance(condition, exp.Or) else text)
    return " AND ".join(dict.fromkeys(parts)) or None


def _share(
    query: exp.Query, bound: Bound, scans: Mapping[str, VersionedScan]
) -> tuple[PlannedScan, ...]:
    """One scan per distinct input; renames the other references in `query`."""
    shared: dict[tuple[object, ...], VersionedScan] = {}
    renamed: dict[str, str] = {}
    for name, scan in scans.items():
        key = (
            scan.table.id,
            scan.lsn,
            scan.version,
            tuple(scan.files.table["file_id"].to_pylist()),
        )
        first = shared.get(key)
        if first is None:
            shared[key] = scan
            continue
        renamed[name] = first.alias
        wanted = {c.id for c in (*first.columns, *scan.columns)}
        columns = tuple(c for c in scan.table.columns if c.id in wanted)
        predicate = first.predicate if first.predicate == scan.predicate else None
        shared[key] = replace(first, columns=columns, predicate=predicate)
    for table in query.find_all(exp.Table):
        if table.name in renamed:
            table.set("this", exp.to_identifier(renamed[table.name], quoted=True))
    return tuple(shared.values())
