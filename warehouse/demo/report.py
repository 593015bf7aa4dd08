"""What the demo prints at its end."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from actors.fragments import QueryStats
from warehouse.cli.output import size_text
from warehouse.demo.stream import BATCH_ROWS, Stream

__all__ = ["Measured", "next_steps", "queries_table", "stream_text"]

GROWTH_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One query: what its caller waited, and what it returned and cost."""

    query: int
    ms: float
    rows: int
    stats: QueryStats


def queries_table(measured: Sequence[Measured]) -> Table:
    """Query, milliseconds, rows, micropartitions scanned of total, bytes fetched; and their sum."""
    table = Table(box=box.ROUNDED, title="TPC-H on bi (one worker, cold caches)", show_footer=True)
    fetched = sum(m.stats.bytes_fetched for m in measured)
    scanned = sum(m.stats.files_scanned for m in measured)
    total = sum(m.stats.files_total for m in measured)
    for name, footer in (
        ("query", "all"),
        ("ms", f"{sum(m.ms for m in measured):,.0f}"),
        ("rows", ""),
        ("micropartitions", f"{scanned} of {total}"),
        ("fetched", size_text(fetched)),
    ):
        table.add_column(name, footer, justify="right")
    for m in measured:
        table.add_row(
            str(m.query),
            f"{m.ms:,.0f}",
            f"{m.rows:,}",
            f"{m.stats.files_scanned} of {m.stats.files_total}",
            size_text(m.stats.bytes_fetched),
        )
    return table


def stream_text(stream: Stream) -> str:
    """How the count grew on `adhoc`, and how fast the writer committed."""
    step = max(1, len(stream.counts) // GROWTH_SHOWN)
    growth = [*stream.counts[:-1:step], stream.counts[-1]]
    return (
        f"Meanwhile {stream.batches:,} batches of {BATCH_ROWS} rows were committed "
        f"({stream.commits_per_s:.0f} a second), and adhoc counted {len(stream.counts):,} times:\n"
        f"  {' … '.join(f'{count:,}' for count in growth)}\n"
        "Every count saw whole batches, and all that were committed before it was asked for."
    )


def next_steps(root: Path) -> Text:
    """Commands that work on the database that the demo leaves."""
    try:
        place = f"./{root.relative_to(Path.cwd())}"
    except ValueError:
        place = str(root)
    mobula = ".venv/bin/mobula" if os.access(".venv/bin/mobula", os.X_OK) else "mobula"
    return Text(
        "\nThe database stays. Try next:\n"
        f"  export MOBULA_ROOT={shlex.quote(place)}\n"
        f"  {mobula} tables\n"
        f"  {mobula} sql --stats "
        "\"SELECT count(*) FROM lineitem WHERE l_shipdate < '1992-03-01'\"\n"
        f'  {mobula} sql "EXPLAIN ANALYZE SELECT max(o_totalprice) FROM orders"\n'
        f"  {mobula} log --last 5\n"
        f'  {mobula} sql "SELECT count(*) FROM events AS OF LSN 30"\n'
        "and notebooks/quickstart.ipynb"
    )
