"""Running a fragment on this machine: frames of its inputs, its program over them, Arrow out.

1. Each input becomes a lazy frame over its files and deltas, under the input's alias.
2. The fragment's program makes one lazy frame of them, which runs with the streaming engine; Polars
   pushes projections and predicates into the scans. Joins run in the order of the program: it was
   chosen from statistics (`warehouse/optimizer/join_order.py`), and Polars' own choice, which knows
   no distinct values, may join many with many.
3. Columns become Arrow in their SQL types.

Every error of Polars leaves here as one of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa

from actors.messages import Fragment, ScanInput
from actors.planner import InputFrame, Program
from storage.errors import CorruptData, InternalError, InvalidRequest, MobulaError, ObjectMissing
from storage.micropartition.reader import ScanFile, ScanGroup, scan

__all__ = ["execute", "optimizations"]


def execute(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
) -> tuple[pa.Table, int]:
    """Run a fragment.

    Args:
        paths: of each file of the inputs, by its name, on this machine.
        resolve_rows: turns the `rows` of a delta run into an Arrow table.
    Returns: the rows, with distinct column names of no meaning, and the number of rows in the
        files and deltas that were read.
    Raises:
        InvalidRequest, NotYet: the query ends in an error, or a value does not fit.
        CorruptData, ObjectMissing: a file cannot be read.
    """
    program: Program = fragment.program
    try:
        frames = {i.alias: _input(i, paths, resolve_rows) for i in fragment.inputs}
        found = program.build(frames).collect(engine="streaming", optimizations=optimizations())
        rows = program.arrow(found)
    except MobulaError:
        raise
    except pl.exceptions.PolarsError as error:
        raise program.translated(error) from error
    except pl.exceptions.PanicException as error:
        raise InternalError(f"Polars stopped: {error}") from error
    except FileNotFoundError as error:
        raise ObjectMissing(f"a file of the query is gone: {error}") from error
    except OSError as error:
        raise CorruptData(f"a file of the query does not decode: {error}") from error
    except RecursionError:
        raise InvalidRequest("the query is nested too deeply; simplify it", "54001") from None
    rows = rows.rename_columns([f"o{i}" for i in range(rows.num_columns)])
    return rows, sum(_rows_of(i) for i in fragment.inputs)


def optimizations() -> pl.QueryOptFlags:
    """Those of Polars, but joins keep the order of the program."""
    return pl.QueryOptFlags(join_order=False)


def _rows_of(scan_input: ScanInput) -> int:
    return sum(f.row_count for f in scan_input.files) + sum(d.row_count for d in scan_input.deltas)


def _input(
    scan_input: ScanInput,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table],
) -> InputFrame:
    groups = [
        ScanGroup(
            columns=columns,
            files=tuple(
                ScanFile(path=paths[f.name], bitmap=f.bitmap, row_count=f.row_count)
                for f in scan_input.files
                if f.schema_version == version
            ),
            deltas=tuple(
                resolve_rows(d.rows) for d in scan_input.deltas if d.schema_version == version
            ),
        )
        for version, columns in sorted(scan_input.schemas.items())
    ]
    frame = scan(groups, scan_input.columns, carriers=True)
    return InputFrame(frame, scan_input.columns, scan_input.ranges)
