"""What deleted rows, rows in deltas and files that overlap cost a query, and after compaction.

    python -m benchmarks.read_amplification --json benchmarks/results/read_amplification.json

Tables with the same rows in different states, in one database of this process: clean; a share of
the rows deleted; a share written anew and still in deltas; a share written anew and flushed, which
leaves holes in the old files and new files above them. Queries take turns over the tables, so that
noise hits all alike; figures are ratios to the clean table. Then every table is flushed, compacted
and reclustered, and the same is measured again. At the end each table's rows are loaded into a new
one, in the order of their keys, and what both take in the store, files and indexes, is compared;
and the past is collected (`CALL mobula.vacuum`), which must leave nothing that is of no table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import warehouse
from actors.primary.limits import KeyedLimits
from actors.settings import Settings
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.table_health import table_health
from warehouse.maintain import maintain, tables_named

SHARES = (1, 10, 30)  # percent
STATES = ("deleted", "deltas", "flushed")
BATCH_ROWS = 10_000
QUERIES = {
    "sum of all": "SELECT sum(a), sum(b), count(*) FROM {table}",
    "groups": "SELECT a % 100 AS g, sum(b), max(c) FROM {table} GROUP BY g ORDER BY g",
    "a range of keys": "SELECT sum(a), count(*) FROM {table} WHERE id BETWEEN {low} AND {high}",
}
NEVER = KeyedLimits(
    flush=FlushPolicy(rows_max=1 << 40, bytes_max=1 << 40, deltas_max=1 << 40),
    compaction=CompactionPolicy(holes_max=2.0, depth_max=1 << 30, small_files_max=1 << 30),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every table answers after compaction as before, else 1."""
    options = _options(arguments)
    root = options.directory.absolute()
    shutil.rmtree(root, ignore_errors=True)
    changed: list[str] = []
    with warehouse.connect(str(root), engine="local", settings=Settings(keyed=NEVER)) as db:
        tables = _made(db, options)
        before = _measured(db, tables, options)
        for name, table in tables_named(db.snapshot(), tables).items():
            say(f"compact {name}")
            answers = _answers(db, table.name, options)
            maintain(db, table, recluster=True)
            if _answers(db, table.name, options) != answers:
                changed.append(name)
        after = _measured(db, tables, options)
        for name in tables:
            say(f"load the rows of {name} anew")
            after[name]["fresh_bytes"] = _fresh_bytes(db, name, options)
        db.sql("CALL mobula.vacuum('0 days', '0 days')")
        left = sum(
            path.stat().st_size
            for kind in ("data", "index")
            for path in (root / kind).rglob("*")
            if path.is_file()
        )
        of_tables = sum(after[name]["bytes"] for name in tables)
    shutil.rmtree(root, ignore_errors=True)
    report = {
        "rows": options.rows,
        "partitions": options.partitions,
        "stored_bytes": left,
        "bytes_of_tables": of_tables,
        "runs": options.runs,
        "seed": options.seed,
        "machine": machine(),
        "before": before,
        "after": after,
    }
    print(_markdown(report))
    if changed:
        print(f"answers have changed: {', '.join(changed)}", file=sys.stderr)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(bool(changed))


def _made(db: warehouse.Database, options: argparse.Namespace) -> list[str]:
    """The tables, the clean one first."""
    names = ["clean", *(f"{state}_{share}" for state in STATES for share in SHARES)]
    source = np.random.default_rng(options.seed)
    rows = _rows(np.arange(options.rows), source)
    for name in names:
        say(f"make {name}")
        _create(db, name, options)
        db.table(name).insert(rows)
        state, _, share = name.partition("_")
        if not share:
            continue
        count = options.rows * int(share) // 100
        chosen = np.sort(source.choice(options.rows, count, replace=False))
        if state == "deleted":
            db.table(name).delete(pl.DataFrame({"id": chosen}))
            continue
        shuffled = source.permutation(chosen)
        for first in range(0, count, BATCH_ROWS):
            db.table(name).upsert(_rows(shuffled[first : first + BATCH_ROWS], source))
        if state == "flushed":
            db.sql(f"CALL mobula.flush('{name}')")
    return names


def _create(db: warehouse.Database, name: str, options: argparse.Namespace) -> None:
    by = f" PARTITION BY HASH (id) PARTITIONS {options.partitions}" if options.partitions else ""
    columns = "id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT"
    db.sql(f"CREATE TABLE {name} ({columns}){by}")


def _fresh_bytes(db: warehouse.Database, name: str, options: argparse.Namespace) -> int:
    """What the rows of a table take in a new one that they are loaded into at once."""
    rows = db.sql(f"SELECT * FROM {name} ORDER BY id").arrow()
    _create(db, "fresh", options)
    db.table("fresh").insert(rows)
    size = _bytes(db, "fresh")
    db.sql("DROP TABLE fresh")
    return size


def _bytes(db: warehouse.Database, name: str) -> int:
    table = db.snapshot().find_table(name)
    assert table is not None
    health = table_health(table)
    return health.size_bytes + health.index_bytes


def _rows(ids: Any, source: np.random.Generator) -> pl.DataFrame:
    count = len(ids)
    return pl.DataFrame(
        {
            "id": ids.astype(np.int64),
            "a": source.integers(0, 1_000_000, count),
            "b": source.random(count),
            "c": np.char.add("name ", source.integers(0, 1_000, count).astype(str)),
        }
    )


def _measured(
    db: warehouse.Database, tables: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    """By table: how it lies, and the times of each query in milliseconds."""
    found: dict[str, Any] = {}
    snapshot = db.snapshot()
    for name in tables:
        table = snapshot.find_table(name)
        assert table is not None
        health = table_health(table)
        found[name] = {
            "rows": health.rows,
            "stored_rows": health.rows + health.deleted_rows,
            "bytes": _bytes(db, name),
            "depth_max": health.depth_max,
            "ms": {query: [] for query in QUERIES},
        }
    for run in range(-1, options.runs):
        for query, text in QUERIES.items():
            for offset in range(len(tables)):
                name = tables[(offset + run) % len(tables)]
                sql = _sql(text, name, options)
                began = time.perf_counter()
                db.sql(sql)
                if run >= 0:
                    taken = (time.perf_counter() - began) * 1000
                    found[name]["ms"][query].append(round(taken, 2))
        say(f"run {run + 1} of {options.runs}")
    return found


def _sql(text: str, table: str, options: argparse.Namespace) -> str:
    low = options.rows // 2
    return text.format(table=table, low=low, high=low + options.rows // 20)


def _answers(db: warehouse.Database, table: str, options: argparse.Namespace) -> list[Any]:
    """To all queries; sums of doubles to nine digits, for their order is free."""
    rows = [row for text in QUERIES.values() for row in db.sql(_sql(text, table, options)).rows()]
    return [[f"{v:.9g}" if isinstance(v, float) else v for v in row] for row in rows]


def _markdown(report: dict[str, Any]) -> str:
    """Ratios to the clean table, before and after."""
    partitions = f", {report['partitions']} hash partitions" if report["partitions"] else ""
    lines = [
        f"{report['rows']:,} rows{partitions}, median of {report['runs']} runs; times as ratios to "
        "the clean table, bytes to a fresh load of the same rows",
        "",
        "| Table | stored rows per live row | "
        + " | ".join(f"{query}, before, after" for query in QUERIES)
        + " | bytes, after |",
        "|---|---|" + "---|" * (len(QUERIES) + 1),
    ]
    for name in report["before"]:
        before, after = report["before"][name], report["after"][name]
        sides = [report["before"], report["after"]]
        ratios = [", ".join(f"{_ratio(side, name, q):.2f}" for side in sides) for q in QUERIES]
        size = after["bytes"] / after["fresh_bytes"]
        lines.append(
            f"| {name} | {before['stored_rows'] / before['rows']:.2f} | "
            + " | ".join(ratios)
            + f" | {size:.3f} |"
        )
    left, wanted = report["stored_bytes"], report["bytes_of_tables"]
    lines += ["", f"{left:,} bytes of data and indexes are in the store, {wanted:,} are of tables"]
    return "\n".join(lines)


def _ratio(measured: dict[str, Any], name: str, query: str) -> float:
    clean = statistics.median(measured["clean"]["ms"][query])
    return statistics.median(measured[name]["ms"][query]) / clean


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read_amplification")
    parser.add_argument("--rows", type=int, default=3_000_000, help="of each table")
    parser.add_argument("--partitions", type=int, default=0, help="by HASH (id); 0: none")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--directory", type=Path, default=BENCH_DIRECTORY / "read-amplification")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
