"""EXPLAIN: what each scan reads after pruning, and the algebra that the worker runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import pyarrow as pa

from actors.fragments import QueryStats
from actors.planner import (
    AtLsn,
    AtTimestamp,
    ExplainPlan,
    GivenRows,
    InsertPlan,
    Latest,
    ModifyPlan,
    PlannedScan,
    SourcePlan,
    Version,
)
from storage.errors import NotYet
from storage.schema import Key
from storage.snapshot.model import TableState
from warehouse.execution.program import Program
from warehouse.optimizer.render import render_query
from warehouse.planning.query import VersionedScan

__all__ = ["explain", "explained"]

FILES_SHOWN = 10


def explain(plan: ExplainPlan, stats: QueryStats | None) -> pa.Table:
    """The plan as text, one line per row, in the column `QUERY PLAN`; with stats for ANALYZE."""
    query = plan.query
    lines = [*plan.change, *(line for scan in query.scans for line in _scan_lines(scan))]
    lines += [line for source in query.sources for line in _source_lines(source)]
    lines += _given_lines(query.given)
    if not lines:
        lines = ["no table is read"]
    program = query.program
    assert isinstance(program, Program)
    lines += ["one worker runs"]
    lines += [f"  {line}" for line in render_query(program.query).splitlines()]
    if stats is not None:
        lines += ["statistics", *_stats_lines(stats)]
    return pa.table({"QUERY PLAN": pa.array(lines, pa.large_string())})


def explained(plan: InsertPlan | ModifyPlan, analyze: bool) -> ExplainPlan:
    """EXPLAIN of a statement that changes rows. Raises NotYet for ANALYZE, which would run it."""
    if analyze:
        raise NotYet("EXPLAIN ANALYZE of a statement that changes rows is not available yet")
    lines = _inserted(plan) if isinstance(plan, InsertPlan) else _modified(plan)
    returned = plan.returning
    more = [f"  returning {', '.join(returned.result_names)}"] if returned else []
    return ExplainPlan(query=plan.query, analyze=False, change=(*lines, *more))


def _inserted(plan: InsertPlan) -> list[str]:
    table, conflict = plan.table, plan.conflict
    lines = [f"insert into {table.name} ({', '.join(plan.columns)})"]
    if table.keys:
        lines.append(f"  keys: {', '.join(key.name for key in table.keys)}")
    if conflict is not None:
        keys = " or ".join(f"({', '.join(names)})" for names in conflict.arbiters)
        lines.append(f"  on conflict by {keys}: {'update' if conflict.updates else 'leave out'}")
        if conflict.query is not None:
            read = sorted({scan.table.name for scan in conflict.query.scans})
            lines.append(f"  conflicts are found in: {', '.join(read)}")
    return lines


def _modified(plan: ModifyPlan) -> list[str]:
    table = plan.table
    key = table.primary_key
    by = "location" if key is None else f"{key.name} ({_names(table, key)})"
    what = {"UPDATE": "update", "DELETE": "delete from", "MERGE": "merge into"}[plan.verb]
    lines = [f"{what} {table.name} by {by}"]
    if plan.moves:
        lines.append("  the key may change: the old rows are deleted, the new ones inserted")
    return lines


def _names(table: TableState, key: Key) -> str:
    return ", ".join(column.name for column in table.key_columns(key))


def _scan_lines(scan: PlannedScan) -> Iterable[str]:
    table = scan.table
    schema = lsn = ""
    if isinstance(scan, VersionedScan):
        schema, lsn = f"{scan.schema}.", f" at LSN {scan.lsn}{_asked(scan.version)}"
    yield f"scan {schema}{table.name}{lsn} as {scan.alias}"
    yield f"  columns: {', '.join(column.name for column in scan.columns)}"
    yield f"  micropartitions: {len(scan.files)} of {len(table.files)}"
    yield f"  stripes: {scan.files.stripe_count} of {table.files.stripe_count}"
    yield f"  rows in micropartitions: {scan.files.row_count} of {table.files.row_count}"
    rows = sum(delta.row_count for delta in table.deltas)
    yield f"  deltas: {len(table.deltas)} with {rows} rows"
    if table.bitmaps:
        yield f"  deleted rows among them: {_deleted_rows(scan)}"
    yield f"  pruned by: {scan.predicate or 'nothing'}"


def _deleted_rows(scan: PlannedScan) -> int:
    """Deleted rows in the files and deltas that will be read."""
    ids = scan.files.table["file_id"].to_pylist() + [delta.id for delta in scan.table.deltas]
    bitmaps = scan.table.bitmaps
    return sum(bitmaps[number].deleted_count for number in ids if number in bitmaps)


def _source_lines(plan: SourcePlan) -> Iterable[str]:
    source = plan.source
    yield f"scan {len(source.files)} {source.format.kind} files as {plan.alias}"
    yield f"  columns: {', '.join(column.name for column in plan.columns)}"
    shown = [file.url for file in source.files[:FILES_SHOWN]]
    more = len(source.files) - len(shown)
    yield f"  files: {', '.join(shown)}{f' and {more} more' if more else ''}"
    yield f"  bytes: {source.read_bytes}"
    if source.row_count is not None:
        yield f"  rows: {source.row_count}"


def _given_lines(given: GivenRows | None) -> Iterable[str]:
    if given is not None:
        yield f"rows in memory as {given.alias}"
        yield f"  columns: {', '.join(column.name for column in given.columns)}"


def _asked(version: Version) -> str:
    match version:
        case Latest():
            return ""
        case AtLsn(lsn):
            return f" (AS OF LSN {lsn})"
        case AtTimestamp(unix_ms):
            return f" (AS OF TIMESTAMP, {unix_ms} ms since 1970)"


def _stats_lines(stats: QueryStats) -> Iterable[str]:
    for field in fields(stats):
        value = getattr(stats, field.name)
        yield (
            f"  {field.name}: {value:.1f}"
            if isinstance(value, float)
            else (f"  {field.name}: {value}")
        )
