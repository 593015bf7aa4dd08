"""`SqlPlanner`: the planner that `connect` gives the primary and the coordinators.

Statement by statement: parse, then either a query, a change of the catalogue, an answer from it,
or a call. Recent queries are kept by text, parameters and session (`planning.kept`).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import pyarrow as pa

import warehouse.functions.all  # noqa: F401 (registers every function)
from actors.fragments import QueryStats
from actors.messages import Session, Statement
from actors.observed import Observed
from actors.planner import (
    ExplainPlan,
    InsertPlan,
    Latest,
    ModifyPlan,
    Parsed,
    Plan,
    QueryPlan,
    Version,
)
from actors.temporary import temporary_schema
from storage.clock import Clock, SystemClock
from storage.errors import InternalError, InvalidRequest
from storage.objects.options import StoreOptions
from storage.snapshot.model import Snapshot, TableState
from storage.target import RowRules
from warehouse.algebra.depth import allow_deep_trees
from warehouse.planning.catalogue import find_table, table_path
from warehouse.planning.copy import plan_copy
from warehouse.planning.create_table import plan_create_table, plan_create_table_as
from warehouse.planning.definitions import (
    plan_alter_system,
    plan_cluster,
    plan_comment,
    plan_create_schema,
    plan_create_type,
    plan_drop,
    plan_table_options,
    plan_truncate,
)
from warehouse.planning.explain import explain, explained
from warehouse.planning.insert import plan_insert
from warehouse.planning.kept import KeptPlans
from warehouse.planning.merge import plan_merge
from warehouse.planning.modifications import plan_delete, plan_update
from warehouse.planning.parse import StatementParser
from warehouse.planning.partitions import plan_partitions
from warehouse.planning.query import QueryPlanner
from warehouse.planning.rules import TableRules, table_rules
from warehouse.planning.shows import (
    plan_call,
    plan_describe,
    plan_describe_warehouse,
    plan_show,
)
from warehouse.planning.vacuum import plan_vacuum
from warehouse.syntax import commands
from warehouse.syntax.later import not_yet
from warehouse.syntax.modifications_tree import (
    Delete,
    Insert,
    Merge,
    Modification,
    Truncate,
    Update,
)
from warehouse.syntax.partitions_tree import (
    AddPartitions,
    AttachPartition,
    DropPartitions,
    ExchangePartition,
)
from warehouse.syntax.tree import QueryNode

__all__ = ["SqlPlanner", "utc_now"]

RULES_MAX = 256
# A join, a group, a sort, texts and exact numbers: what most queries are made of.
_REHEARSAL = """
SELECT upper(a.name), sum(b.price), count(*)
FROM (VALUES (1, 'one'), (2, 'two')) AS a (id, name)
JOIN (VALUES (1, 1.50), (2, 2.25)) AS b (id, price) ON a.id = b.id
WHERE a.name LIKE '%o%'
GROUP BY a.name
ORDER BY 2 DESC
"""
EPOCH = datetime.datetime(1970, 1, 1)

_Key = tuple[Any, ...]


class SqlPlanner:
    """Implements `actors.planner.Planner`. May be used from several threads."""

    def __init__(
        self, clock: Clock | None = None, store: StoreOptions | None = None, root: str = ""
    ) -> None:
        """Args:
        store: how statements that name files enter S3.
        root: the database's, where they may not write.
        """
        self._store = store
        self._root = root
        self._clock = clock or SystemClock()
        allow_deep_trees()
        self._parser = StatementParser()
        self._plans = KeptPlans()
        self._bound: OrderedDict[_Key, tuple[_Key, TableRules | None]] = OrderedDict()
        self._lock = Lock()

    def parse(self, statement: Statement) -> Parsed:
        """One statement with its parameters. Raises SqlSyntaxError, InvalidRequest, NotYet."""
        return self._parser.parse(statement)

    def plan(
        self,
        parsed: Parsed,
        snapshots: Mapping[Version, Snapshot],
        observed: Mapping[str, Sequence[Observed]] | None = None,
    ) -> Plan:
        """Plan against the snapshots and records that `parsed` asks for.

        Raises UnknownObject, InvalidRequest, NotYet; InternalError when any of them is missing.
        """
        observed = observed or {}
        if missing := parsed.versions - snapshots.keys():
            raise InternalError(f"no snapshot was given for {missing}")
        if unseen := parsed.observes - observed.keys():
            raise InternalError(f"no records were given of {', '.join(sorted(unseen))}")
        try:
            return self._plan(parsed, self._queries(parsed, snapshots, observed))
        except RecursionError:
            raise InvalidRequest(
                "the statement is nested too deeply; simplify it", "54001"
            ) from None

    def rules(self, table: TableState, snapshot: Snapshot) -> RowRules | None:
        """See `Planner.rules`."""
        return self._rules(table, snapshot, self._now())

    def rehearsal(self) -> QueryPlan:
        """See `Planner.rehearsal`."""
        nothing: dict[Version, Snapshot] = {Latest(): Snapshot(database_id="", branch_id="")}
        plan = self.plan(self.parse(Statement(sql=_REHEARSAL)), nothing)
        assert isinstance(plan, QueryPlan)
        return plan

    def explain(self, plan: ExplainPlan, stats: QueryStats | None) -> pa.Table:
        """The plan as lines of text in one column, `QUERY PLAN`; with `stats` for ANALYZE."""
        return explain(plan, stats)

    def _plan(self, parsed: Parsed, queries: QueryPlanner) -> Plan:
        tree, latest = parsed.tree, queries.snapshots[Latest()]
        session = queries.session
        match tree:
            case QueryNode():
                return self._query(parsed, tree, queries)
            case commands.Explain(query=QueryNode() as query):
                return ExplainPlan(query=self._query(parsed, query, queries), analyze=tree.analyze)
            case commands.Explain():
                return explained(self._modification(tree.query, queries, latest), tree.analyze)
            case commands.Describe():
                return plan_describe(tree, session, latest)
            case commands.DescribeWarehouse():
                return plan_describe_warehouse(tree, latest)
            case commands.Show():
                return plan_show(tree, session, latest, queries.observed.get("warehouses", ()))
            case commands.CallNode():
                return plan_call(tree, queries)
            case commands.Vacuum():
                return plan_vacuum(tree, session, latest)
            case Insert() | Update() | Delete() | Merge():
                return self._modification(tree, queries, latest)
            case Truncate():
                return plan_truncate(tree, session, latest)
            case commands.CopyNode():
                return plan_copy(tree, queries)
            case _:
                return _definition(tree, queries, latest)

    def _modification(
        self, tree: Modification, queries: QueryPlanner, latest: Snapshot
    ) -> InsertPlan | ModifyPlan:
        """A statement that changes rows. The parameters of all its queries are checked together."""
        queries = dataclasses.replace(queries, used=set())
        table = find_table(latest, tree.table, queries.session)
        rules = self._rules(table, latest, queries.now)
        plan: InsertPlan | ModifyPlan
        match tree:
            case Insert():
                plan = plan_insert(tree, queries, rules, table)
            case Update():
                plan = plan_update(tree, queries, table, rules)
            case Delete():
                plan = plan_delete(tree, queries, table)
            case Merge():
                plan = plan_merge(tree, queries, table, rules)
        queries.check_parameters()
        return plan

    def _queries(
        self,
        parsed: Parsed,
        snapshots: Mapping[Version, Snapshot],
        observed: Mapping[str, Sequence[Observed]],
    ) -> QueryPlanner:
        statement = parsed.statement
        return QueryPlanner(
            text=statement.sql,
            snapshots=snapshots,
            observed=observed,
            session=statement.session,
            parameters=statement.parameters,
            now=self._now(),
            store=self._store,
            root=self._root,
        )

    def _now(self) -> datetime.datetime:
        return utc_now(self._clock)

    def _rules(
        self, table: TableState, snapshot: Snapshot, now: datetime.datetime | None
    ) -> RowRules | None:
        """Rules are bound anew when the table's definition or the types of the database change."""
        now = now or self._now()
        key = (snapshot.database_id, table.id)
        source = (table.schema, table.checks, snapshot.types)
        with self._lock:
            kept = self._bound.get(key)
        if kept is None or any(a is not b for a, b in zip(kept[0], source, strict=True)):
            kept = (source, table_rules(table, snapshot, now))
            with self._lock:
                self._bound[key] = kept
                while len(self._bound) > RULES_MAX:
                    self._bound.popitem(last=False)
        return None if kept[1] is None else dataclasses.replace(kept[1], now=now)

    def _query(self, parsed: Parsed, tree: QueryNode, queries: QueryPlanner) -> QueryPlan:
        if parsed.opens_files or parsed.observes:  # both may change at any time
            return queries.plan(tree)
        statement, session = parsed.statement, parsed.statement.session
        key = (
            statement.sql,
            _shape(statement.parameters),
            _path(session, queries.snapshots[Latest()]),
            session.user,
            *sorted(session.settings.items()),
            *session.functions.items(),
        )
        return self._plans.plan(key, tree, queries, parsed.versions)


def utc_now(clock: Clock) -> datetime.datetime:
    """The time in UTC, without a zone, as programs have it."""
    return EPOCH + datetime.timedelta(milliseconds=clock.now_ms())


def _definition(tree: Any, queries: QueryPlanner, latest: Snapshot) -> Plan:
    """A statement that changes the catalogue."""
    session = queries.session
    match tree:
        case commands.CreateTable():
            return plan_create_table(tree, queries, latest)
        case commands.CreateTableAs():
            return plan_create_table_as(tree, queries, latest)
        case commands.CreateSchema():
            return plan_create_schema(tree)
        case commands.CreateType():
            return plan_create_type(tree, session, latest)
        case commands.Drop():
            return plan_drop(tree, session, latest)
        case commands.AlterTableCluster():
            return plan_cluster(tree, session, latest)
        case AddPartitions() | DropPartitions() | AttachPartition() | ExchangePartition():
            return plan_partitions(tree, queries, latest)
        case commands.AlterTableOptions():
            return plan_table_options(tree, session, latest)
        case commands.AlterSystem():
            return plan_alter_system(tree)
        case commands.CommentNode():
            return plan_comment(tree, session, latest)
        case commands.LaterWrite():
            if tree.what.endswith(" WAREHOUSE"):
                raise InvalidRequest(
                    f"{tree.what} cannot run inside a transaction: use Database.sql", "25001"
                )
            raise not_yet(tree.what)
        case _:
            raise not_yet(f"{type(tree).__name__}")


def _path(session: Session, snapshot: Snapshot) -> tuple[str, ...]:
    """Where names are looked up: sessions without temporary tables share their plans."""
    own = temporary_schema(session)
    known = own is not None and snapshot.schema_id(own) is not None
    return table_path(session) if known else session.schema_path


def _shape(parameters: Any) -> tuple[Any, ...]:
    items = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
    return tuple((name, type(value).__name__, repr(value)) for name, value in items)
