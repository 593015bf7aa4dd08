"""Answer the cases of `reference.json` with PostgreSQL again (`pip install pgserver psycopg`).

Rows and cases stay; answers are replaced. A case's answer is a list of values in the order of the
rows (of `id`), as PostgreSQL's to_json writes them, decimals as texts; or the SQLSTATE of an error.
Run it from the root of the repository: `python -m tests.data.windows.make_reference`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pgserver
import psycopg

from tests.unit.warehouse.execution.window_cases import COLUMNS, case_sql

REFERENCE = Path(__file__).parent / "reference.json"
MICROSECONDS = (
    "extract(hour from v) * 3600000000 + extract(minute from v) * 60000000"
    " + extract(microseconds from v)"
)
INTERVAL_JSON = (
    "case when v is not null then json_build_array("
    "(extract(year from v) * 12 + extract(month from v))::int, extract(day from v)::int,"
    f" ({MICROSECONDS})::bigint) end"
)


def main() -> None:
    reference = json.loads(REFERENCE.read_text())
    with tempfile.TemporaryDirectory() as directory:
        server = pgserver.get_server(directory)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            create(connection, reference["rows"])
            for case in reference["cases"]:
                case["answer"] = answer(connection, case)
    lines = ",\n".join(json.dumps(case) for case in reference["cases"])
    rows = json.dumps(reference["rows"])
    REFERENCE.write_text(f'{{"rows": {rows},\n"cases": [\n{lines}\n]}}\n')


def create(connection: psycopg.Connection[Any], rows: dict[str, list[Any]]) -> None:
    columns = ", ".join(
        f"{name} {kind}" + (' collate "C"' if kind == "text" else "")
        for name, (kind, _) in COLUMNS.items()
    )
    connection.execute(f"create temp table rows ({columns})")
    holes = ", ".join(f"%s::text::{kind}" for kind, _ in COLUMNS.values())
    for i in range(len(rows["id"])):
        values = [literal(kind, rows[name][i]) for name, (kind, _) in COLUMNS.items()]
        connection.execute(f"insert into rows values ({holes})", values)


def literal(kind: str, text: str | None) -> str | None:
    """PostgreSQL's own form of a value of the file."""
    if text is None or kind not in ("interval", "int4[]"):
        return text
    if kind == "int4[]":
        return "{" + text[1:-1] + "}"
    months, days, microseconds = json.loads(text)
    return f"{months} months {days} days {microseconds} microseconds"


def answer(connection: psycopg.Connection[Any], case: dict[str, Any]) -> Any:
    name = case["fn"].partition("(")[0]
    spans = bool(case["args"]) and case["args"][0] == "iv" and name != "count"
    shown = INTERVAL_JSON if spans else "to_json(v)"
    query = (
        f"select ({shown})::text from (select id, {case_sql(case)} as v from rows) s order by id"
    )
    try:
        found = connection.execute(query).fetchall()
    except psycopg.Error as error:
        return error.sqlstate
    return [None if text is None else json.loads(text, parse_float=str) for (text,) in found]


if __name__ == "__main__":
    main()
