"""Load Parquet, CSV or NDJSON files into a table, as a Ray job:

    ray job submit --working-dir . -- \\
        python -m jobs.load --root s3://bucket/db --table orders --source 's3://in/*.parquet'

S3 is entered with the AWS_… environment variables, for the database as for the sources. Progress
goes to stderr in lines; the last line of stdout is the commit as JSON. Exit status 1: nothing was
loaded, and the reason is the last line of stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import warehouse
from jobs.options import connected, job_parser
from storage.sources_format import FORMATS
from warehouse.infer import files_of, made_for_load
from warehouse.planning.source_options import load_format

__all__ = ["main"]

_CSV = {
    "header": "the first line names the columns",
    "delimiter": "between fields, a comma by default",
    "null": "the text that is NULL where it is not quoted, empty by default",
    "quote": 'around fields, " by default',
    "escape": "before a quote inside quotes, the quote itself by default",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        commit = _load(options)
    except warehouse.MobulaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(
        json.dumps(
            {"table": options.table, "rows": commit.rows, "lsn": commit.lsn, "tso": commit.tso}
        )
    )
    return 0


def _load(options: argparse.Namespace) -> warehouse.Commit:
    sql = _statement(options.create_table_sql) if options.create_table_sql else None
    creates = options.create or sql is not None
    told = {name: getattr(options, name) for name in _CSV}
    files = files_of(options.source, kind=options.format)
    form = load_format(files, options.format, told)
    with (
        connected(options, create=creates) as db,
        made_for_load(db, options.table, files, infer=options.create, sql=sql, format=form),
    ):
        return db.load(
            options.table, files, mode=options.mode, progress=True, format=options.format, **told
        )


def _statement(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise warehouse.InvalidRequest(f"{path} does not read as text: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = job_parser("load", __doc__)
    parser.add_argument("--table", required=True, help="table or schema.table, exactly as it is")
    parser.add_argument(
        "--source",
        action="append",
        required=True,
        metavar="URL",
        help="file: a path that every node sees, or s3://…; wildcards allowed; repeatable",
    )
    parser.add_argument(
        "--mode",
        choices=("insert", "ignore", "upsert", "update"),
        default="insert",
        help="what a row does whose key the table has: refuse the load, be left out, replace it; "
        "update also leaves out rows whose key the table does not have",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="of the files; by default what their names say"
    )
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="CSV: the first line names the columns (the default)",
    )
    for name, text in _CSV.items():
        if name != "header":
            parser.add_argument(f"--{name}", help=f"CSV: {text}")
    creation = parser.add_mutually_exclusive_group()
    creation.add_argument(
        "--create", action="store_true", help="make the table with the columns of the first file"
    )
    creation.add_argument(
        "--create-table-sql", type=Path, metavar="FILE", help="make the table with this statement"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
