"""Make the queries and the reference answers of TPC-H once, with DuckDB (see README.md here).

Steps:
1. Write the queries of DuckDB's extension `tpch` to `warehouse/tpch/queries/qNN.sql`.
2. Compare the Parquet files of `tpchgen-cli` with the extension's own `dbgen`, row by row. Comments
   and addresses are left out: DuckDB draws them from a smaller pool of text than the specification
   says (https://github.com/duckdb/duckdb/pull/22256), `tpchgen-cli` follows the specification.
3. Answer the queries over the Parquet files and write `answers/sf<scale>/qNN.json`.
"""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_extension_tpch

HERE = Path(__file__).parent
QUERIES = HERE.parents[2] / "warehouse" / "tpch" / "queries"
TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]


def main(data: Path, scale: str) -> None:
    connection = connect()
    for table in TABLES:
        source = f"read_parquet('{data / table}.parquet')"
        connection.execute(f"CREATE VIEW main.{table} AS FROM {source}")
    check_data(connection, scale)
    for number, text in connection.execute("FROM tpch_queries()").fetchall():
        write_query(number, text)
        write_answer(HERE / "answers" / f"sf{scale}" / f"q{number:02}.json", connection, text)


def connect():
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    folder = Path(duckdb_extension_tpch.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD '{folder / 'tpch.duckdb_extension'}'")
    return connection


def check_data(connection, scale):
    connection.execute("CREATE SCHEMA dbgen")
    connection.execute(f"CALL dbgen(sf = {scale}, schema = 'dbgen')")
    compared = "COLUMNS(c -> NOT (c LIKE '%_comment' OR c LIKE '%_address'))"
    for table in TABLES:
        mine, theirs = (f"SELECT {compared} FROM {schema}.{table}" for schema in ("main", "dbgen"))
        for left, right in ((mine, theirs), (theirs, mine)):
            rows = connection.execute(
                f"SELECT count(*) FROM ({left} EXCEPT ALL {right})"
            ).fetchone()
            if rows != (0,):
                raise SystemExit(f"{table}: {rows[0]} rows differ between tpchgen-cli and dbgen")


def write_query(number, text):
    lines = [line.rstrip() for line in text.strip().splitlines()]
    (QUERIES / f"q{number:02}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_answer(path, connection, text):
    cursor = connection.execute(text)
    columns = [[name, str(type_)] for name, type_, *_ in cursor.description]
    rows = [[None if value is None else str(value) for value in row] for row in cursor.fetchall()]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'{{"columns": {json.dumps(columns)},\n "rows": [\n{lines}\n]}}\n', encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
