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
import sys
from collections.abc import Sequence

import warehouse
from jobs.options import connected, job_parser
from storage.table_health import table_health
from warehouse.maintain import maintain, tables_named

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
    with connected(options) as db:
        for name, table in tables_named(db.snapshot(), options.table).items():
            count = maintain(db, table, recluster=options.recluster)
            snapshot = db.snapshot()
            (now,) = tables_named(snapshot, [name]).values()
            health = dataclasses.asdict(table_health(now))
            print(json.dumps({"table": name, "rewritten": count, "lsn": snapshot.lsn, **health}))


def _parser() -> argparse.ArgumentParser:
    parser = job_parser("compact", __doc__)
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
