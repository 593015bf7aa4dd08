"""`SqlPlanner`: the planner that `connect` gives the primary and the coordinators.

Statement by statement: parse, then either a query (bind, rewrite, prune), a change of the
catalogue, an answer from it, or a call. Plans of recent queries are kept by text, parameters and
schema path, and used again only while every snapshot they were made on is the very same object:
the next commit makes a new plan, for it may bring files and deltas.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from actors.messages import QueryStats, Statement
from actors.planner import ExplainPlan, Latest, Parsed, Plan, QueryPlan, Version
from storage.errors import InternalError, InvalidRequest
from storage.snapshot.model import Snapshot
from warehouse.sql.ddl import (
    plan_call,
    plan_create_table,
    plan_describe,
    plan_drop_table,
    plan_show,
)
from warehouse.sql.dialect import (
    CallProcedure,
    CreateTable,
    DescribeTable,
    DropTables,
    Explain,
    LaterWrite,
    ShowObjects,
)
from warehouse.sql.explain import explain
from warehouse.sql.insert import plan_insert
from warehouse.sql.later import not_yet
from warehouse.sql.parse import StatementParser
from warehouse.sql.query import plan_query

__all__ = ["SqlPlanner"]

PLANS_MAX = 64

_Key = tuple[Any, ...]


class SqlPlanner:
    """Implements `actors.planner.Planner`. May be used from several threads."""

    def __init__(self) -> None:
        self._parser = StatementParser()
        self._plans: OrderedDict[_Key, tuple[dict[Version, Snapshot], QueryPlan]] = OrderedDict()
        self._lock = Lock()

    def parse(self, statement: Statement) -> Parsed:
        """One statement with its parameters. Raises SqlSyntaxError, InvalidRequest, NotYet."""
        return self._parser.parse(statement)

    def plan(self, parsed: Parsed, snapshots: Mapping[Version, Snapshot]) -> Plan:
        """Plan against the snapshots that `parsed.versions` asked for.

        Raises UnknownObject, InvalidRequest, NotYet; InternalError when a snapshot is missing.
        """
        if missing := parsed.versions - snapshots.keys():
            raise InternalError(f"no snapshot was given for {missing}")
        try:
            return self._plan(parsed, snapshots)
        except RecursionError:
            raise InvalidRequest(
                "the statement is nested too deeply; simplify it", "54001"
            ) from None
        except SqlglotError as error:
            raise InvalidRequest(f"the statement cannot be planned: {error}") from error

    def explain(self, query: QueryPlan, stats: QueryStats | None) -> pa.Table:
        """The plan as lines of text in one column, `QUERY PLAN`; with `stats` for ANALYZE."""
        return explain(query, stats)

    def _plan(self, parsed: Parsed, snapshots: Mapping[Version, Snapshot]) -> Plan:
        tree, session, latest = parsed.tree, parsed.statement.session, snapshots[Latest()]
        match tree:
            case Explain():
                query = self._query(parsed, tree.this, snapshots)
                return ExplainPlan(query=query, analyze=bool(tree.args.get("analyze")))
            case CreateTable():
                return plan_create_table(tree.copy(), session, latest)
            case DropTables():
                return plan_drop_table(tree.copy(), session, latest)
            case DescribeTable():
                return plan_describe(tree.copy(), session, latest)
            case ShowObjects():
                return plan_show(tree, latest)
            case CallProcedure():
                return plan_call(tree)
            case LaterWrite():
                raise not_yet(tree.this)
            case exp.Insert():
                return plan_insert(tree.copy(), snapshots, session)
            case exp.Query():
                return self._query(parsed, tree, snapshots)
            case _:
                raise InternalError(f"no plan for a {type(tree).__name__}")

    def _query(
        self, parsed: Parsed, tree: exp.Query, snapshots: Mapping[Version, Snapshot]
    ) -> QueryPlan:
        statement = parsed.statement
        parameters = tuple((type(v).__name__, repr(v)) for v in statement.parameters)
        key = (statement.sql, parameters, statement.session.schema_path)
        wanted = {version: snapshots[version] for version in parsed.versions}
        with self._lock:
            kept = self._plans.get(key)
            if kept is not None and all(kept[0][v] is wanted[v] for v in wanted):
                self._plans.move_to_end(key)
                return kept[1]
        plan = plan_query(tree.copy(), snapshots, statement.session)
        with self._lock:
            self._plans[key] = (wanted, plan)
            while len(self._plans) > PLANS_MAX:
                self._plans.popitem(last=False)
        return plan
