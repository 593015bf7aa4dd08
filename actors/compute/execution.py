"""Running a fragment on this machine: frames of its inputs, its program over them, Arrow out.

1. Each input becomes a lazy frame over its files and deltas, or over files of users
   (`sources.py`), under the input's alias.
2. The fragment's program makes one lazy frame of them, which runs with the streaming engine; Polars
   pushes projections and predicates into the scans. Joins run in the order of the program: it was
   chosen from statistics (`warehouse/optimizer/join_order.py`), and Polars' own choice, which knows
   no distinct values, may join many with many. Where memory is limited, operators that would not
   fit work on the disk, while the frame is made.
3. Columns become Arrow in their SQL types.

Every error of Polars leaves here as one of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa

from actors.compute.morsels import small_morsels
from actors.compute.sources import source_input, source_rows, with_place
from actors.fragments import Fragment, ScanInput
from actors.program import InputFrame, Program
from storage.errors import (
    CorruptData,
    InternalError,
    InvalidRequest,
    MobulaError,
    ObjectMissing,
    OutOfMemory,
)
from storage.exports import write_export
from storage.micropartition.inputs import (
    LOCATION_RANGE,
    ScanDelta,
    ScanFile,
    ScanGroup,
    location_column,
)
from storage.micropartition.reader import scan
from storage.sources_scan import ScanTally
from storage.spill_space import SpillSpace

__all__ = ["batches", "execute", "export", "optimizations"]

BATCH_ROWS = 32_768
BATCH_BYTES = 16 << 20
SHARED_FACTOR_MAX = 2
SHARED_BYTES = 16 << 10  # so little more is not worth a copy
RESULT_COPIES = 2


def execute(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
    space: SpillSpace | None = None,
) -> tuple[pa.Table, int]:
    """Run a fragment.

    Args:
        paths: of each file of the inputs, by its name, on this machine.
        resolve_rows: turns the `rows` of a delta run into an Arrow table.
        space: where rows go that memory has no room for; None: memory is not limited. Whoever gives
            it closes it.
    Returns: the rows, with distinct column names of no meaning, and the number of rows in the
        files and deltas that were read, deleted ones included.
    Raises:
        InvalidRequest, NotYet: the query ends in an error, or a value does not fit.
        CorruptData, ObjectMissing: a file cannot be read.
        OutOfMemory: the query fits neither into memory nor on the disk (see `storage.spill_space`).
    """
    program: Program = fragment.program
    tallies: dict[str, ScanTally] = {}
    with _translated(fragment, tallies):
        frame = _frame(fragment, paths, resolve_rows, tallies, space)
        if space is None or not space.spilled_bytes:
            found = frame.collect(engine="streaming", optimizations=optimizations())
        else:
            found = _fitting(frame, space)
        rows = _nameless(program.arrow(found))
    return rows, sum(_rows_of(i, tallies) for i in fragment.inputs)


def export(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
    space: SpillSpace | None = None,
) -> tuple[pa.Table, int]:
    """Run a fragment and write its rows to `fragment.output.export`, in bounded memory.

    Arguments and errors as of `execute`.
    Returns: a table of one number, how many rows were written, and the rows that were read.
    """
    target = fragment.output.export
    if target is None:
        raise InternalError("an export without a target")
    tallies: dict[str, ScanTally] = {}
    program: Program = fragment.program
    rows = _batches(fragment, paths, resolve_rows, tallies, space)
    count = write_export(target, program.schema(), rows)
    scanned = sum(_rows_of(i, tallies) for i in fragment.inputs)
    return pa.table({"o0": pa.array([count], pa.int64())}), scanned


def batches(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table] = lambda rows: rows,
    space: SpillSpace | None = None,
    scanned: Callable[[int], None] = lambda rows: None,
) -> Generator[pa.RecordBatch, None, None]:
    """Run a fragment, its rows batch by batch in their order; Polars runs ahead of them by a few.
    Arguments, names and errors as of `execute`; `scanned` hears at the end how many rows were read.
    Closing the generator ends the query."""
    tallies: dict[str, ScanTally] = {}
    yield from _batches(fragment, paths, resolve_rows, tallies, space)
    scanned(sum(_rows_of(i, tallies) for i in fragment.inputs))


def _batches(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table],
    tallies: dict[str, ScanTally],
    space: SpillSpace | None,
) -> Generator[pa.RecordBatch, None, None]:
    program: Program = fragment.program
    with _translated(fragment, tallies), small_morsels():
        for frame in _steps(_frame(fragment, paths, resolve_rows, tallies, space)):
            rows = _nameless(program.arrow(frame))
            yield from rows.to_batches(max_chunksize=_batch_rows(rows))


def _frame(
    fragment: Fragment,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table],
    tallies: dict[str, ScanTally],
    space: SpillSpace | None,
) -> pl.LazyFrame:
    program: Program = fragment.program
    return program.build(
        {
            i.alias: _input(i, paths, resolve_rows)
            if i.source is None
            else source_input(i, tallies)
            for i in fragment.inputs
        },
        space,
    )


def _steps(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return frame.collect_batches(
        chunk_size=BATCH_ROWS,
        maintain_order=True,
        lazy=True,
        engine="streaming",
        optimizations=optimizations(),
    )


def _fitting(frame: pl.LazyFrame, space: SpillSpace) -> pl.DataFrame:
    """The rows, as long as memory has room for them twice: once as Arrow."""
    limit = space.limits.memory_bytes // RESULT_COPIES
    parts, held = [], 0.0
    for part in _steps(frame):
        held += part.estimated_size()
        if held > limit:
            raise OutOfMemory(
                f"the rows of the query have more than the {limit:,} bytes that memory has room "
                "for; read them as a stream, or write them to a file (COPY … TO)"
            )
        parts.append(part)
    return pl.concat(parts) if parts else frame.collect_schema().to_frame()


def _nameless(rows: pa.Table) -> pa.Table:
    return _own(rows).rename_columns([f"o{i}" for i in range(rows.num_columns)])


def _own(rows: pa.Table) -> pa.Table:
    """The same rows without the others that share their buffers: those would travel with them. A
    row that a filter has left of a file holds on to a whole morsel."""
    if rows.get_total_buffer_size() <= SHARED_FACTOR_MAX * max(rows.nbytes, SHARED_BYTES):
        return rows
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:  # leaves out what no row refers to
        writer.write_table(rows)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


def _batch_rows(rows: pa.Table) -> int:
    """How many of these rows make a batch of `BATCH_BYTES`."""
    return max(1, int(rows.num_rows * BATCH_BYTES // max(rows.nbytes, 1)))


@contextmanager
def _translated(fragment: Fragment, tallies: Mapping[str, ScanTally]) -> Iterator[None]:
    program: Program = fragment.program
    try:
        yield
    except MobulaError:
        raise
    except pl.exceptions.PolarsError as error:
        found = program.translated(error)
        raise with_place(found, error, fragment.inputs, tallies) from error
    except pl.exceptions.PanicException as error:
        raise InternalError(f"Polars stopped: {error}") from error
    except FileNotFoundError as error:
        raise ObjectMissing(f"a file of the query is gone: {error}") from error
    except OSError as error:
        raise CorruptData(f"a file of the query does not decode: {error}") from error
    except RecursionError:
        raise InvalidRequest("the query is nested too deeply; simplify it", "54001") from None


def optimizations() -> pl.QueryOptFlags:
    """Those of Polars, but joins keep the order of the program."""
    return pl.QueryOptFlags(join_order=False)


def _rows_of(scan_input: ScanInput, tallies: Mapping[str, ScanTally]) -> int:
    if scan_input.source is not None:
        return source_rows(scan_input, tallies)
    files = sum(file.row_count for file in scan_input.files)
    return files + sum(run.row_count for run in scan_input.deltas)


def _input(
    scan_input: ScanInput,
    paths: Mapping[str, Path],
    resolve_rows: Callable[[object], pa.Table],
) -> InputFrame:
    groups = [
        ScanGroup(
            columns=columns,
            files=tuple(
                ScanFile(
                    path=paths[f.name],
                    bitmap=f.bitmap,
                    row_count=f.row_count,
                    file_id=f.file_id,
                )
                for f in scan_input.files
                if f.schema_version == version
            ),
            deltas=tuple(
                ScanDelta(rows=resolve_rows(d.rows), deleted=d.deleted, pieces=d.pieces)
                for d in scan_input.deltas
                if d.schema_version == version
            ),
        )
        for version, columns in sorted(scan_input.schemas.items())
    ]
    location = scan_input.location
    frame = scan(
        groups, scan_input.columns, carriers=True, location=location, chosen=scan_input.chosen
    )
    if location is None:
        return InputFrame(frame, scan_input.columns, scan_input.ranges)
    column = location_column(location)
    bounds = replace(LOCATION_RANGE, has_null=False)
    ranges = {**scan_input.ranges, column.id: bounds}
    return InputFrame(frame, (*scan_input.columns, column), ranges)
