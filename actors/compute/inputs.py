"""The inputs of a fragment, from what was planned: files with their bitmaps, deltas, ranges.

What a scan will read is of one snapshot, and so are its delete bitmaps: each version of the table
has its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.compute.deltas import DeltaStage
from actors.fragments import FileInput, ScanInput
from actors.planner import PlannedScan, SourcePlan
from storage.schema import Column
from storage.snapshot.ranges import column_ranges

__all__ = ["scan_input", "source_input"]


def scan_input(scan: PlannedScan, stage: DeltaStage) -> ScanInput:
    """The input of a fragment for a table of its plan."""
    table = scan.table
    deltas = stage.runs(table, located=scan.location is not None, partitions=scan.partitions)
    files = tuple(_file_inputs(scan))
    known = [(run.schema_version, run.ranges) for run in deltas]
    versions = table.files.schema_versions | {version for version, _ in known}
    schemas: Mapping[int, tuple[Column, ...]] = {
        version: table.schema_version(version).columns for version in versions
    }
    return ScanInput(
        alias=scan.alias,
        columns=scan.columns,
        schemas=schemas,
        files=files,
        deltas=deltas,
        # Of all files, not of those that are read: known from the last query, and as true.
        ranges=column_ranges(table.files, known, scan.columns, schemas),
        location=scan.location,
        chosen=scan.chosen,
    )


def _file_inputs(scan: PlannedScan) -> list[FileInput]:
    wanted = [
        "file_id", "name", "checksum", "size_bytes", "row_count", "stripe_count", "schema_version",
    ]  # fmt: skip
    inputs = []
    for row in scan.files.table.select(wanted).to_pylist():
        bitmap = scan.table.bitmaps.get(row["file_id"])
        inputs.append(FileInput(**row, bitmap=bitmap.positions if bitmap else None))
    return inputs


def source_input(plan: SourcePlan) -> ScanInput:
    """The input of a fragment for files of users."""
    return ScanInput(
        alias=plan.alias,
        columns=plan.columns,
        schemas={},
        ranges=plan.ranges,
        source=plan.source,
    )
