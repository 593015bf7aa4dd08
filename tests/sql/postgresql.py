"""A PostgreSQL server of the tests' own, and statements run on it as the corpus records them.

`pgserver` brings PostgreSQL 16 as a package; it may be missing (then `available()` is False), and
the recorded answers stand alone. Values are taken in PostgreSQL's text form, with the SQL names of
their types, so nothing of a client library's conversions is between the server and the corpus.
"""

from __future__ import annotations

import datetime
import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from tests.sql.logic_file import Answer

__all__ = ["PostgreSQL", "Session", "available", "python_parameters", "server"]

_SETTINGS = """
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres';
SET lc_monetary = 'C'; SET lc_numeric = 'C'; SET lc_time = 'C'
"""
_DATABASE = "corpus"
_SCHEMAS = """
SELECT quote_ident(nspname) FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
"""
_TABLES = """
SELECT c.oid::regclass::text,
    string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
GROUP BY 1 ORDER BY 1
"""


def available() -> bool:
    """Are the packages there?"""
    return all(importlib.util.find_spec(name) for name in ("pgserver", "psycopg"))


def python_parameters(parameters: Sequence[Any]) -> list[Any]:
    """Values of `$1, $2, …` from their JSON: `{"date": "2024-01-31"}` is what JSON has not."""
    made: dict[str, Callable[[str], Any]] = {
        "date": datetime.date.fromisoformat,
        "timestamp": datetime.datetime.fromisoformat,
        "decimal": Decimal,
        "bytes": bytes.fromhex,
    }
    values: list[Any] = []
    for parameter in parameters:
        if isinstance(parameter, dict):
            ((kind, text),) = parameter.items()
            values.append(made[kind](text))
        else:
            values.append(parameter)
    return values


class Session:
    """One connection to a database of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._types: dict[tuple[int, int], str] = {}

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """The answer, or the error, of one statement."""
        import psycopg

        cursor = psycopg.RawCursor(self._connection)
        try:
            cursor.execute(sql.encode(), python_parameters(parameters) or None)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return Answer(error=error.sqlstate, message=str(error))
        result = cursor.pgresult
        assert result is not None
        columns = [
            ((result.fname(i) or b"").decode(), self._type(result.ftype(i), result.fmod(i)))
            for i in range(result.nfields)
        ]
        rows = [
            tuple(_text(result.get_value(row, i)) for i in range(result.nfields))
            for row in range(result.ntuples)
        ]
        return Answer(columns=tuple(columns), rows=tuple(rows))

    def _type(self, oid: int, modifier: int) -> str:
        if (oid, modifier) not in self._types:
            row = self._connection.execute("SELECT format_type(%s, %s)", (oid, modifier)).fetchone()
            self._types[oid, modifier] = row[0]
        return self._types[oid, modifier]

    def reverse_tables(self) -> None:
        """Turn the physical order of every table's rows around, and plan otherwise from now on:
        what a statement leaves open then comes out differently."""
        run = self._connection.execute
        for table, columns in run(_TABLES).fetchall():
            run(f"CREATE TEMP TABLE turned AS SELECT {columns} FROM {table} ORDER BY ctid DESC")
            run(f"TRUNCATE {table}")
            rows = "OVERRIDING SYSTEM VALUE SELECT * FROM turned ORDER BY ctid"
            run(f"INSERT INTO {table} ({columns}) {rows}")
            run("DROP TABLE turned")
        for name in ("hashagg", "hashjoin", "incremental_sort"):
            run(f"SET enable_{name} = off")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


class PostgreSQL:
    """A running server with one database, which every session finds empty."""

    def __init__(self, uri: str) -> None:
        import psycopg

        self._uri = uri
        with psycopg.connect(uri, autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(
                f"CREATE DATABASE {_DATABASE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
            )
        self._admin = psycopg.connect(uri, dbname=_DATABASE, autocommit=True)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of its own; what it made is dropped at its end."""
        import psycopg

        connection = psycopg.connect(self._uri, dbname=_DATABASE, autocommit=True)
        try:
            connection.execute(_SETTINGS)
            yield Session(connection)
        finally:
            connection.close()
            for (schema,) in self._admin.execute(_SCHEMAS).fetchall():
                self._admin.execute(f"DROP SCHEMA {schema} CASCADE")
            self._admin.execute("CREATE SCHEMA public")

    def close(self) -> None:
        self._admin.close()


@contextmanager
def server() -> Iterator[PostgreSQL]:
    """Start a server in a temporary directory; stop it at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

        with tempfile.TemporaryDirectory(prefix="mobula-pg-") as directory:
            process = pgserver.get_server(directory)
            postgresql = PostgreSQL(process.get_uri())
            try:
                yield postgresql
            finally:
                postgresql.close()
                process.cleanup()
