"""How many rows each part of a query may have, for workers whose memory is limited.

Expected from statistics (`optimizer/estimates.py`) once the plan is there, and only for queries
that read much: small ones fit anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.planner import PlannedScan, SourcePlan
from warehouse.algebra.relations import Query, Scan
from warehouse.execution.spilling.choice import relations_of
from warehouse.optimizer.estimates import Estimator

__all__ = ["expected_rows"]

MUCH_BYTES = 32 << 20
VALUE_BYTES = 8
SOURCE_VALUE_BYTES = 4  # of a value in a user's file, which is packed or short


def expected_rows(
    query: Query, scans: Sequence[PlannedScan], sources: Sequence[SourcePlan]
) -> tuple[float, ...]:
    """Of each of `relations_of(query)`; empty if the query reads little."""
    outside = {plan.alias: _source_rows(plan) for plan in sources}
    read = {scan.alias: float(_row_count(scan)) for scan in scans} | outside
    relations = list(relations_of(query))
    # An input counts as often as it is scanned: five scans of a small table make a large UNION ALL.
    found = (node for node in relations if isinstance(node, Scan))
    values = sum(read.get(scan.input, 0.0) * len(scan.outputs) for scan in found)
    if values * VALUE_BYTES < MUCH_BYTES:
        return ()
    tables = {scan.alias: scan.table for scan in scans}
    estimator = Estimator(tables, query.ctes, outside)
    return tuple(estimator.of(node).rows for node in relations)


def _row_count(scan: PlannedScan) -> int:
    """Rows that are read: of the files that pruning left, and of all deltas."""
    table = scan.table
    return scan.files.row_count + table.stored_row_count - table.files.row_count


def _source_rows(plan: SourcePlan) -> float:
    """Rows of files, guessed from their size where they do not say."""
    if plan.source.row_count is not None:
        return float(plan.source.row_count)
    return plan.source.read_bytes / (SOURCE_VALUE_BYTES * max(len(plan.source.names), 1))
