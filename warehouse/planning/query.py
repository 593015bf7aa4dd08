"""From a query's tree to a `QueryPlan`, in two steps.

1. `prepare`: bind and optimise. The result holds for every snapshot in which the same names mean
   tables of the same columns; statistics only chose the order of its joins.
2. `finished`: for one snapshot, prune the files of each scan and share equal scans.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from actors.messages import Session
from actors.observed import Observed
from actors.planner import GivenRows, PlannedScan, QueryPlan, Version
from storage.objects.options import StoreOptions
from storage.snapshot.model import Snapshot, TableState, UserType
from warehouse.algebra.expressions import ColumnRef, Literal
from warehouse.algebra.relations import Project, Query, Relation, Scan, Values
from warehouse.algebra.types import AnyType
from warehouse.algebra.walk import transform_relation
from warehouse.binder.context import Binding
from warehouse.binder.queries import CellBinder, bind_query
from warehouse.execution.program import Program
from warehouse.optimizer.optimize import optimized, scan_conditions
from warehouse.optimizer.partitions import partitions_left
from warehouse.optimizer.prune import prune
from warehouse.optimizer.render import render_expression
from warehouse.planning.catalogue import LOCATION, SnapshotCatalogue, Source
from warehouse.planning.expected import expected_rows
from warehouse.planning.files import FoundFiles, plan_files
from warehouse.planning.versions import Parameters
from warehouse.syntax.tree import QueryNode

__all__ = ["PreparedQuery", "QueryPlanner", "VersionedScan"]

_GROWTH_MAX = 2.0  # a table that grew or shrank more than this since may want other joins
_SMALL_ROWS = 1000.0  # below, the order of joins is no matter


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedScan(PlannedScan):
    """A planned scan that remembers for EXPLAIN which schema and version it reads."""

    schema: str
    version: Version
    lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedQuery:
    """A query bound and optimised.

    Attributes:
        sources: what its inputs read in the snapshots that it was prepared on; for `outside`, the
            inputs that are files of users, see `SnapshotCatalogue`.
        columns: of each input, the names of those that it is asked for.
        conditions: see `scan_conditions`.
        functions: the code of those of the session that it calls.
        types: the snapshot's, which names of types were looked up in.
        given: rows that the query is given when it runs.
        is_of_one_snapshot: it holds for these snapshots alone.
    """

    query: Query
    sources: Mapping[str, Source]
    outside: Mapping[str, FoundFiles]
    columns: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, list[Any]]
    functions: Mapping[str, bytes]
    types: Mapping[int, UserType]
    is_of_one_snapshot: bool
    given: GivenRows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlanner:
    """Plans the queries of one statement.

    `used`: the parameters that were named so far, for a statement of several queries, which checks
    them at its end (`check_parameters`); None: the one query does. `observed`: see `Planner.plan`.
    """

    text: str
    snapshots: Mapping[Version, Snapshot]
    session: Session
    parameters: Parameters = ()
    now: datetime.datetime | None = None
    store: StoreOptions | None = None
    root: str = ""
    used: set[str] | None = None
    observed: Mapping[str, Sequence[Observed]] = field(default_factory=dict)

    def check_parameters(self) -> None:
        """Raises InvalidRequest (08P01) if a parameter was given that none of the queries used."""
        binding = Binding(self.text, self._catalogue(), self.parameters)
        binding.used = self.used or set()
        binding.check_parameters()

    def schema_of(self, table: TableState) -> str:
        """The name of a table's schema in the newest snapshot."""
        return self._catalogue().latest.schemas[table.schema_id]

    def plan(
        self,
        node: QueryNode,
        kinds: Sequence[AnyType | None] = (),
        finish: Callable[[Query, Binding], Query] = lambda query, _: query,
        cell: CellBinder | None = None,
    ) -> QueryPlan:
        """The plan of a query. For arguments and errors see `prepare`."""
        return self.finished(self.prepare(node, kinds, finish, cell))

    def prepare(
        self,
        node: QueryNode,
        kinds: Sequence[AnyType | None] = (),
        finish: Callable[[Query, Binding], Query] = lambda query, _: query,
        cell: CellBinder | None = None,
    ) -> PreparedQuery:
        """A query bound and optimised.

        Args:
            kinds, cell: see `bind_query`.
            finish: changes the bound query before it is optimised (the casts of INSERT).
        Raises UnknownObject, InvalidRequest, NotYet.
        """

        def bound(binding: Binding) -> Query:
            query = finish(bind_query(node, binding, kinds, cell), binding)
            if self.used is None:
                binding.check_parameters()
            return query

        return self.prepared(bound)

    def bound(self, bind: Callable[[Binding], Query], given: GivenRows | None = None) -> QueryPlan:
        """The plan of a query that is no query's tree: `bind` makes it. See `prepared`."""
        return self.finished(self.prepared(bind, given))

    def prepared(
        self, bind: Callable[[Binding], Query], given: GivenRows | None = None
    ) -> PreparedQuery:
        """What `bind` makes, optimised.

        Args: given: rows that the query is given, whose alias is the input of a scan in it.
        """
        catalogue = self._catalogue()
        binding = Binding(self.text, catalogue, self.parameters)
        if self.used is not None:
            binding.used = self.used
        query = bind(binding)
        if not _is_written_out(query):
            tables = {name: source.table for name, source in catalogue.sources.items()}
            query = optimized(query, tables)
        return PreparedQuery(
            query=query,
            sources=catalogue.sources,
            outside=catalogue.outside,
            columns=_columns(query),
            conditions=scan_conditions(query),
            functions={n: self.session.functions[n].code for n in catalogue.functions},
            types=catalogue.latest.types,
            is_of_one_snapshot=catalogue.is_of_one_snapshot,
            given=given,
        )

    def again(self, prepared: PreparedQuery) -> QueryPlan | None:
        """The plan of a query that was prepared on other snapshots; None: it must be prepared anew.

        That is so when names mean something else now, or tables have grown or shrunk by much.
        """
        catalogue = self._catalogue()
        if prepared.is_of_one_snapshot or prepared.types is not catalogue.latest.types:
            return None
        sources = catalogue.again(prepared.sources)
        if sources is None:
            return None
        if any(_is_of_other_size(s.table, sources[n].table) for n, s in prepared.sources.items()):
            return None
        return self.finished(replace(prepared, sources=sources))

    def finished(self, prepared: PreparedQuery) -> QueryPlan:
        """The plan of a prepared query for its snapshots."""
        files, columns = prepared.outside, dict(prepared.columns)
        given = prepared.given
        if given is not None:
            given = _used(given, columns.pop(given.alias, ()))
        scans = {
            name: self._scan(name, prepared.sources[name], used, prepared.conditions.get(name, []))
            for name, used in columns.items()
            if name not in files
        }
        query, shared = _shared(prepared.query, scans)
        sources = tuple(
            plan_files(name, files[name], used) for name, used in columns.items() if name in files
        )
        program = Program(
            query=query,
            udfs=prepared.functions,
            now=self.now,
            expected=expected_rows(query, shared, sources),
        )
        return QueryPlan(
            program=program,
            scans=shared,
            result_names=query.names,
            sources=sources,
            given=given,
        )

    def _catalogue(self) -> SnapshotCatalogue:
        return SnapshotCatalogue(
            self.snapshots,
            self.session,
            self.parameters,
            store=self.store,
            observed=self.observed,
        )

    def _scan(
        self, name: str, source: Source, used: Sequence[str], conditions: list[Any]
    ) -> VersionedScan:
        table = source.table
        wanted = set(used)
        columns = tuple(c for c in table.columns if c.name in wanted) or table.columns[:1]
        left = partitions_left(table, conditions)
        partitions = None if left is None else left.partitions
        files, understood = prune(table, conditions, partitions)
        if left is not None:
            understood = [n for n, _ in conditions if n in understood or n in left.used]
        names = {key: name for _, mapping in conditions for key, name in mapping.items()}
        return VersionedScan(
            alias=name,
            table=table,
            columns=columns,
            files=files,
            predicate=" AND ".join(render_expression(part, names) for part in understood) or None,
            schema=source.schema,
            version=source.version,
            lsn=source.lsn,
            location=LOCATION if LOCATION in wanted else None,
            partitions=partitions,
        )


def _used(given: GivenRows, names: Sequence[str]) -> GivenRows:
    """With the columns that the query asks for; one of them if it asks for none."""
    columns = tuple(c for c in given.columns if c.name in names) or given.columns[:1]
    return replace(given, columns=columns)


def _is_of_other_size(before: TableState, now: TableState) -> bool:
    low, high = sorted(max(float(t.row_count), _SMALL_ROWS) for t in (before, now))
    return high > low * _GROWTH_MAX


def _is_written_out(query: Query) -> bool:
    """Columns of VALUES that are literals: there is nothing to optimise, and much to walk over."""
    relation = query.relation
    return (
        isinstance(relation, Project)
        and isinstance(relation.input, Values)
        and all(isinstance(expr, ColumnRef) for _, expr in relation.items)
        and all(isinstance(cell, Literal) for row in relation.input.rows for cell in row)
    )


def _columns(query: Query) -> dict[str, tuple[str, ...]]:
    """The columns that each input is asked for."""
    found: dict[str, tuple[str, ...]] = {}

    def note(node: Relation) -> Relation:
        if isinstance(node, Scan):
            found[node.input] = tuple(dict.fromkeys((*found.get(node.input, ()), *node.sources)))
        return node

    for relation in (query.relation, *(cte.relation for cte in query.ctes.values())):
        transform_relation(relation, note)
    return found


def _shared(
    query: Query, scans: Mapping[str, VersionedScan]
) -> tuple[Query, tuple[PlannedScan, ...]]:
    """One scan per distinct input; the other references in the query get its name."""
    shared: dict[tuple[object, ...], VersionedScan] = {}
    renamed: dict[str, str] = {}
    for name, scan in scans.items():
        key = (scan.table.id, scan.lsn, scan.location, scan.files.ids)
        first = shared.get(key)
        if first is None:
            shared[key] = scan
            continue
        renamed[name] = first.alias
        wanted = {c.id for c in (*first.columns, *scan.columns)}
        columns = tuple(c for c in scan.table.columns if c.id in wanted)
        predicate = first.predicate if first.predicate == scan.predicate else None
        shared[key] = replace(first, columns=columns, predicate=predicate)
    if not renamed:
        return query, tuple(shared.values())

    def rename(node: Relation) -> Relation:
        if isinstance(node, Scan) and node.input in renamed:
            return msgspec.structs.replace(node, input=renamed[node.input])
        return node

    query = msgspec.structs.replace(
        query,
        relation=transform_relation(query.relation, rename),
        ctes={
            number: msgspec.structs.replace(cte, relation=transform_relation(cte.relation, rename))
            for number, cte in query.ctes.items()
        },
    )
    return query, tuple(shared.values())
