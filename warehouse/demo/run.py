"""The demo, step by step.

1. Generate TPC-H as Parquet files, unless they are there from an earlier run.
2. Start a private Ray; open a fresh database in a directory.
3. Create the eight tables and load them through the primary.
4. Create the virtual warehouses `bi` and `adhoc`.
5. Run the 22 queries on `bi`; meanwhile a writer appends to a table and `adhoc` counts its rows.
6. End Ray, print what each query cost, and what to try next. The database stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import track

from actors.settings import Settings
from storage.clock import Clock, SystemClock
from storage.errors import InvalidRequest
from storage.names import FORMAT
from warehouse.database import Database, connect
from warehouse.demo.private_ray import private_ray
from warehouse.demo.report import Measured, next_steps, queries_table, stream_text
from warehouse.demo.stream import Stream, streaming
from warehouse.tpch import generate, queries, schema_sql
from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = ["run"]

LOGICAL_CPUS = 8  # for primary, coordinators and workers; they share the cores there are
MICROPARTITION_ROWS = 60_000  # lineitem gets ten micropartitions, so that pruning shows


def run(directory: Path, scale_factor: float, console: Console) -> None:
    """Do all of it.

    Args:
        directory: made when missing; gets the Parquet files and the database.
        scale_factor: of TPC-H; 0.1 has 600,000 rows in `lineitem`.
    Raises:
        InvalidRequest: `directory/database` is there and is no database.
    """
    clock = SystemClock()
    directory = directory.absolute()
    root = _cleared(directory / "database")
    sources = generate(directory / f"tpch-sf{scale_factor:g}", scale_factor)
    console.print(f"TPC-H at scale factor {scale_factor:g} is in {sources['lineitem'].parent}")
    with _scratch(directory / "cache") as cache, private_ray(LOGICAL_CPUS):
        console.print(f"A private Ray runs; the database is {root}")
        db = connect(str(root), settings=Settings(cache_directory=str(cache)))
        _load(db, sources)
        measured, stream = _query(db, console, clock)
        db.shutdown()
    console.print(queries_table(measured))
    console.print(stream_text(stream), soft_wrap=True)
    console.print(next_steps(root), soft_wrap=True)


def _cleared(root: Path) -> Path:
    """An empty place: the database of an earlier demo is removed, anything else is not."""
    if root.exists():
        if not (root / FORMAT).is_file():
            raise InvalidRequest(f"{root} is no database of an earlier demo; move it away")
        shutil.rmtree(root)
    return root


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _load(db: Database, sources: Mapping[str, Path]) -> None:
    for statement in schema_sql(micropartition_rows=MICROPARTITION_ROWS):
        db.sql(statement)
    for table, source in sources.items():
        db.load(table, str(source), progress=True)


def _query(db: Database, console: Console, clock: Clock) -> tuple[list[Measured], Stream]:
    bi = db.create_virtual_warehouse("bi")
    adhoc = db.create_virtual_warehouse("adhoc")
    console.print("22 queries run on bi while a writer appends and adhoc counts")
    with streaming(db, adhoc, clock) as stream:
        measured = [
            _measure(bi, number, sql, clock)
            for number, sql in track(queries().items(), "queries", console=console)
        ]
    return measured, stream


def _measure(bi: VirtualWarehouse, number: int, sql: str, clock: Clock) -> Measured:
    started_ms = clock.monotonic_ms()
    result = bi.sql(sql)
    elapsed_ms = clock.monotonic_ms() - started_ms
    return Measured(query=number, ms=elapsed_ms, rows=len(result), stats=result.stats)
