"""Set right how tables lie in their files, as a Ray job:

    ray job submit --working-dir . -- \\
        python -m jobs.compact --root s3://bucket/db --table orders --recluster

The primary decides and commits, its tasks do the work; the job waits. S3 is entered with the AWS_…
environment variables. One line of JSON per table on stdout. Exit status 1: the reason is the last
line of stderr; tables before it are done.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import warehouse
from storage.table_health import table_health
from warehouse.maintain import maintain, tables_named
from warehouse.settings_file import SETTINGS_VARIABLE, read_settings

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _compact(options)
    except warehouse.MobulaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _compact(options: argparse.Namespace) -> None:
    settings = read_settings(options.settings) if options.settings else None
    with warehouse.connect(
        options.root, engine=options.engine, create=False, settings=settings
    ) as db:
        for name in tables_named(db.snapshot(), options.table):
            count = maintain(db, name, recluster=options.recluster)
            snapshot = db.snapshot()
            (table,) = tables_named(snapshot, [name]).values()
            health = dataclasses.asdict(table_health(table))
            print(json.dumps({"table": name, "rewritten": count, "lsn": snapshot.lsn, **health}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs.compact",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", required=True, help="directory or URL of the database")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        help="table or schema.table, exactly as it is; repeatable; all if left out",
    )
    parser.add_argument(
        "--recluster",
        action="store_true",
        help="also sort files together until none overlap in the order of their table",
    )
    parser.add_argument("--engine", choices=("ray", "local"), default="ray")
    parser.add_argument(
        "--settings",
        type=Path,
        default=os.environ.get(SETTINGS_VARIABLE),
        help=f"a TOML file of settings, {SETTINGS_VARIABLE} by default",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
