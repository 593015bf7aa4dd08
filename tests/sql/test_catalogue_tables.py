"""What tools ask pg_catalog and information_schema: our answers are PostgreSQL's.

Queries of the shapes that drivers and tools send run on both servers. What psql sends for its
commands is taken from psql itself, which comes with `pgserver`; those tests are skipped without it.
OIDs of objects differ between the servers; they are compared by the names that they have.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import warehouse
from storage.errors import MobulaError
from tests.sql import postgresql
from warehouse import Database

DEFINITIONS = (
    "CREATE SCHEMA shop",
    "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE TYPE public.pair AS (x int, y text)",
    """CREATE TABLE public.t (
        id bigint GENERATED ALWAYS AS IDENTITY NOT NULL, a int NOT NULL DEFAULT 3, b text,
        c numeric(10, 2), d varchar(5), m mood, p pair, e int[], f timestamptz, g char(3),
        h double precision, i date, j interval, CHECK (a > 0),
        CONSTRAINT b_short CHECK (length(b) < 10))""",
    'CREATE TABLE shop.orders (o_id int NOT NULL, o_date date, "Total" numeric(15, 2))',
    "COMMENT ON TABLE public.t IS 'the table t'",
    "COMMENT ON COLUMN public.t.a IS 'column a'",
)

# Shapes of queries that drivers and tools send; each has one answer for any order of rows.
QUERIES = (
    # tables, with comments by regclass
    """SELECT n.nspname, c.relname, CASE c.relkind WHEN 'r' THEN 'TABLE' ELSE 'VIEW' END,
        d.description
    FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d
        ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
    WHERE c.relnamespace = n.oid AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND c.relkind = ANY (ARRAY['r', 'v']) ORDER BY 1, 2""",
    # columns, with defaults and numbers by window
    """SELECT * FROM (SELECT c.relname, a.attname, t.typname, a.attnotnull, a.atttypmod, a.attlen,
        row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum,
        nullif(a.attidentity, '') AS attidentity, pg_get_expr(def.adbin, def.adrelid) AS adsrc,
        dsc.description, format_type(a.atttypid, a.atttypmod)
    FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
        JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON a.atttypid = t.oid
        LEFT JOIN pg_attrdef def ON a.attrelid = def.adrelid AND a.attnum = def.adnum
        LEFT JOIN pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
    WHERE c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname IN ('public', 'shop')) q ORDER BY relname, attnum""",
    # physical properties of types and columns
    """SELECT attname, attlen, attbyval, attalign, attstorage, attndims, attcollation
    FROM pg_attribute WHERE attrelid = 'public.t'::regclass AND attnum > 0 ORDER BY attnum""",
    """SELECT typname, typlen, typtype, typcategory, typdelim, typelem::regtype, typarray::regtype,
        typinput = 'array_in'::regproc, typcollation, typalign, typstorage
    FROM pg_type WHERE typtype IN ('b', 'e', 'c') AND typrelid = 0 AND typname IN
        ('bool', 'int4', '_int4', 'text', 'numeric', 'timestamptz', 'jsonb', 'mood', '_mood')
    ORDER BY typname""",
    # user-defined types
    """SELECT t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.oid = to_regtype('mood')
    GROUP BY t.typname""",
    """SELECT a.attname, a.atttypid::regtype::text FROM pg_attribute a
    JOIN pg_type t ON t.typrelid = a.attrelid WHERE t.oid = 'pair'::regtype ORDER BY a.attnum""",
    # constraints and their columns
    """SELECT c.conname, c.conrelid::regclass, pg_get_constraintdef(c.oid, true), c.contype,
        array_agg(a.attname ORDER BY u.ord)
    FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS u(num, ord)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.num
    WHERE c.conrelid IN ('t'::regclass) GROUP BY 1, 2, 3, 4 ORDER BY 1""",
    """SELECT i.indrelid, (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i
    WHERE i.indrelid = 't'::regclass""",
    # identity
    """SELECT a.attname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle
    FROM pg_attribute a JOIN pg_sequence s ON s.seqrelid =
        pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid
    WHERE a.attidentity <> ''""",
    """SELECT d.objid::regclass, d.refobjid::regclass, d.refobjsubid FROM pg_depend d
    WHERE d.refobjid = 't'::regclass AND d.deptype = 'i' AND d.refobjsubid > 0""",
    # names of objects
    """SELECT 't'::regclass, 'shop.orders'::regclass, 'integer'::regtype, 'int4[]'::regtype,
        1043::regtype, 'public'::regnamespace, 'pg_class'::regclass::oid, to_regclass('nothing'),
        0::regclass, 'array_in'::regproc, 'mood[]'::regtype""",
    "SELECT oid::regclass::text FROM pg_class WHERE oid::regclass = 'shop.orders'::regclass",
    "SELECT oid::regclass FROM pg_class WHERE oid::regclass = '1259'",
    "SELECT relname FROM pg_class WHERE oid IN ('t'::regclass, 'pg_class'::regclass) ORDER BY 1",
    """SELECT c.relname, pg_table_is_visible(c.oid), c.oid::regclass || ''
    FROM pg_class c WHERE c.relname IN ('t', 'orders', 'pg_class') ORDER BY 1""",
    "SELECT obj_description('t'::regclass), col_description('t'::regclass, 2), pg_get_userbyid(77)",
    "SELECT obj_description('t'::regclass, 'pg_class'), obj_description('t'::regclass, 'pg_type')",
    "SELECT current_schemas(true), current_schemas(false), current_schema()",
    "SELECT current_setting('search_path'), current_setting('nothing', true)",
    """SELECT setting FROM pg_settings WHERE name IN ('max_index_keys', 'server_encoding')
    ORDER BY 1""",
    "SELECT pg_relation_size('t'::regclass) IS NULL, pg_encoding_to_char(6), pg_is_in_recovery()",
    # information_schema
    """SELECT table_schema, table_name, table_type, is_insertable_into, is_typed, commit_action
    FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2""",
    """SELECT table_schema, table_name, column_name, ordinal_position, column_default, is_nullable,
        data_type, character_maximum_length, character_octet_length, numeric_precision,
        numeric_precision_radix, numeric_scale, datetime_precision, udt_schema, udt_name,
        dtd_identifier, is_identity, identity_generation, identity_start, identity_increment,
        identity_maximum, identity_minimum, identity_cycle, is_generated, is_updatable
    FROM information_schema.columns WHERE table_schema IN ('public', 'shop') ORDER BY 1, 2, 4""",
    """SELECT column_name, data_type, udt_name, collation_name FROM information_schema.columns
    WHERE table_schema = 'pg_catalog' AND table_name = 'pg_namespace' ORDER BY ordinal_position""",
    """SELECT table_name, constraint_type, is_deferrable, enforced FROM
    information_schema.table_constraints WHERE table_schema IN ('public', 'shop')
    AND constraint_name NOT LIKE '%not_null' ORDER BY constraint_name""",
    """SELECT constraint_name, check_clause FROM information_schema.check_constraints
    WHERE constraint_schema = 'public' AND constraint_name NOT LIKE '%not_null' ORDER BY 1""",
    """SELECT check_clause FROM information_schema.check_constraints
    WHERE constraint_schema IN ('public', 'shop') AND constraint_name LIKE '%not_null'
    ORDER BY 1""",
    """SELECT column_name, constraint_name FROM information_schema.constraint_column_usage
    WHERE table_schema = 'public' ORDER BY 1""",
    """SELECT k.column_name FROM information_schema.table_constraints c
    JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
    WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = 'public'""",
    """SELECT udt_name, attribute_name, ordinal_position, data_type, attribute_udt_name
    FROM information_schema.attributes ORDER BY 1, 3""",
    """SELECT object_name, collection_type_identifier, data_type, udt_name
    FROM information_schema.element_types WHERE object_schema = 'public' ORDER BY 1""",
    """SELECT schema_name FROM information_schema.schemata
    WHERE schema_name NOT LIKE 'pg_toast%' ORDER BY 1""",
    """SELECT privilege_type FROM information_schema.table_privileges
    WHERE table_name = 'orders' ORDER BY 1""",
    "SELECT sequence_name FROM information_schema.sequences",
    """SELECT schemaname, sequencename, data_type, start_value, min_value, max_value, increment_by,
    cycle, cache_size, last_value FROM pg_sequences""",
    """SELECT schemaname, tablename, hasindexes FROM pg_tables WHERE schemaname = 'shop'
    UNION ALL SELECT schemaname, viewname, false FROM pg_views WHERE schemaname = 'shop'""",
)
ERRORS = (
    ("SELECT 'nothing'::regclass", "42P01"),
    ("SELECT 'no.thing'::regclass", "42P01"),
    ("SELECT 'nothing'::regtype", "42704"),
    ("SELECT 'nothing'::regnamespace", "3F000"),
    ("SELECT 'nothing'::regproc", "42883"),
    ("SELECT 'abs'::regproc", "42725"),
    ("SELECT 1 FROM pg_class WHERE oid::regclass = 't'", "22P02"),
    ("SELECT current_setting('nothing')", "42704"),
    ("SELECT * FROM pg_nothing", "42P01"),
    ("SELECT * FROM information_schema.nothing", "42P01"),
)
# Commands of psql, and whether its queries have the same answers here.
COMMANDS = {
    r"\l": False,  # there are no templates
    r"\dn": False,  # public belongs to pg_database_owner there
    r"\dn+": False,
    r"\dt": True,
    r"\dt *.orders": True,
    r"\dt+": False,  # sizes
    r"\d": True,
    r"\ds": True,
    r"\dv": True,
    r"\di": True,
    r"\dm": True,
    r"\d t": True,
    r"\d shop.orders": True,
    r"\d t_id_seq": True,
    r"\dT": True,
    r"\dT+": True,
    r"\dp": True,
    r"\df": True,
    r"\da": False,  # their functions and ours
    r"\df abs": False,
    r"\du": False,  # the role that PostgreSQL's server was made with
    r"\dg+": False,
    r"\db": False,
    r"\dx": False,  # PL/pgSQL
    r"\dD": True,
    r"\dE": True,
    r"\des": True,
    r"\dRp": True,
    r"\dy": True,
    r"\ddp": True,
    r"\drds": True,
    r"\dP": True,
}
NAMES = ("t", "shop.orders", "t_id_seq")
ROLE = DATABASE = "mobula"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Ours, with the definitions."""
    found = warehouse.connect(str(tmp_path_factory.mktemp("catalogue")), engine="local")
    for statement in DEFINITIONS:
        found.sql(statement)
    yield found
    found.close()


class Server:
    """PostgreSQL with the definitions, in a database and of a role named as ours."""

    def __init__(self, uri: str) -> None:
        import psycopg

        self._psql = _psql()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ROLE} SUPERUSER LOGIN CREATEDB CREATEROLE")
            connection.execute(f"ALTER ROLE {ROLE} REPLICATION BYPASSRLS")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE} TEMPLATE template0")
        self._uri = re.sub(r"//[^@]*@/\w*", f"//{ROLE}:@/{DATABASE}", uri)
        self.connection = psycopg.connect(self._uri, autocommit=True)
        self.connection.execute("SET search_path = public")
        for statement in DEFINITIONS:
            self.connection.execute(statement.encode())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        return self.connection.cursor().execute(sql.encode()).fetchall()

    def sent(self, command: str) -> list[str]:
        """The queries that psql sends for a command."""
        arguments = [str(self._psql), self._uri, "-X", "-E", "-c", command]
        text = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        return re.findall(r"\*+ QUERY \*+\n(.*?);?\n\*{10,}\n", text, re.DOTALL)


def _psql() -> Path:
    import pgserver

    return Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """PostgreSQL, or a skip."""
    if not postgresql.available():
        pytest.skip("pgserver is not installed")
    with _process() as uri:
        found = Server(uri)
        yield found
        found.connection.close()


@contextmanager
def _process() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

        with tempfile.TemporaryDirectory(prefix="mobula-pg-") as directory:
            process = pgserver.get_server(directory)
            try:
                yield process.get_uri()
            finally:
                process.cleanup()


def ours(database: Database, sql: str) -> list[tuple[Any, ...]]:
    return database.sql(sql).polars().rows()


def plain(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    """Values without the differences of the clients: lists, numbers, bytes of "char"."""
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def with_oids(sql: str, server: Server, database: Database) -> str:
    """A query with PostgreSQL's OIDs replaced by ours."""
    for name in NAMES:
        (theirs,) = server.rows(f"SELECT '{name}'::regclass::oid")[0]
        (own,) = ours(database, f"SELECT '{name}'::regclass::oid")[0]
        sql = re.sub(rf"'{theirs}'", f"'{own}'", sql)
    return sql


def without_oids(
    rows: list[list[Any]], server: Server | None, database: Database | None
) -> list[list[Any]]:
    """OIDs of our objects as their names."""
    known: dict[str, str] = {}
    for name in NAMES:
        sql = f"SELECT '{name}'::regclass::oid"
        found = server.rows(sql) if server is not None else ours(database, sql)  # type: ignore[arg-type]
        known[str(found[0][0])] = name
    return [[known.get(v, v) if isinstance(v, str) else v for v in row] for row in rows]


@pytest.mark.parametrize("sql", QUERIES, ids=lambda sql: " ".join(sql.split())[:50])
def test_queries_of_tools_have_postgresqls_answers(
    sql: str, database: Database, server: Server
) -> None:
    assert plain(ours(database, sql)) == plain(server.rows(sql))


@pytest.mark.parametrize(("command", "same"), COMMANDS.items())
def test_psql_gets_its_answers(
    command: str, same: bool, database: Database, server: Server
) -> None:
    queries = server.sent(command)
    assert queries
    for sql in queries:
        found = plain(ours(database, with_oids(sql, server, database)))
        if same:
            expected = plain(server.rows(sql))
            assert without_oids(found, None, database) == without_oids(expected, server, None), sql


@pytest.mark.parametrize(("sql", "sqlstate"), ERRORS)
def test_errors_are_postgresqls(sql: str, sqlstate: str, database: Database) -> None:
    with pytest.raises(MobulaError) as caught:
        database.sql(sql)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize(("sql", "sqlstate"), ERRORS)
def test_postgresql_has_these_errors(sql: str, sqlstate: str, server: Server) -> None:
    import psycopg

    with pytest.raises(psycopg.Error) as caught:
        server.rows(sql)
    assert caught.value.sqlstate == sqlstate


def test_as_of_shows_the_catalogue_of_that_time(database: Database) -> None:
    sql = "SELECT count(*) FROM information_schema.tables AS OF LSN 1 WHERE table_schema = 'shop'"
    assert ours(database, sql) == [(0,)]
    sql = "SELECT relname FROM pg_class AS OF LSN 5 WHERE relname IN ('t', 'orders')"
    assert ours(database, sql) == [("t",)] or ours(database, sql) == [("t",), ("orders",)]


def test_the_database_may_be_named(database: Database) -> None:
    sql = f'SELECT count(*) FROM "{DATABASE}".information_schema.tables'
    assert ours(database, sql)[0][0] > 2


def test_rows_are_counted_in_the_newest_snapshot(database: Database) -> None:
    database.sql("CREATE TABLE public.counted (x int)")
    sql = "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'counted'"
    assert ours(database, sql) == [(0,)]
    database.sql("INSERT INTO public.counted VALUES (1), (2)")
    assert ours(database, sql) == [(2,)]
    sizes = "SELECT pg_total_relation_size('counted') > 0, pg_size_pretty(pg_relation_size('t'))"
    assert ours(database, sizes) == [(True, "0 bytes")]
    database.sql("DROP TABLE public.counted")
    assert ours(database, sql) == []
