"""The parser: the tree of every statement, clause and operator, and every refusal with its place.

`tests/data/syntax/*.txt` holds texts and their trees as `trees.shown` writes them, every operator
in parentheses. With a PostgreSQL at hand, what we parse it parses too, and what we refuse it
refuses, but for what is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import InvalidRequest, NotYet, SqlSyntaxError
from tests.sql import postgresql
from tests.unit.warehouse.syntax.trees import expression, query, shown, statement
from warehouse.planning.parse import parse_text
from warehouse.syntax import commands, modifications_tree, partitions_tree, tree

DIRECTORY = Path(__file__).parents[3] / "data" / "syntax"


def goldens(name: str) -> list[tuple[str, str]]:
    text = (DIRECTORY / f"{name}.txt").read_text(encoding="utf-8").strip()
    pairs = (paragraph.partition("\n=> ") for paragraph in text.split("\n\n"))
    return [(sql, expected) for sql, _, expected in pairs]


EXPRESSIONS, QUERIES, STATEMENTS = map(goldens, ("expressions", "queries", "statements"))


@pytest.mark.parametrize(("sql", "expected"), EXPRESSIONS)
def test_expressions(sql: str, expected: str) -> None:
    assert expression(sql) == expected


@pytest.mark.parametrize(("sql", "expected"), QUERIES)
def test_queries(sql: str, expected: str) -> None:
    assert query(sql) == expected


@pytest.mark.parametrize(("sql", "expected"), STATEMENTS)
def test_statements(sql: str, expected: str) -> None:
    assert query(sql) == expected


def test_every_kind_of_node_has_a_text() -> None:
    shown_texts = " ".join(expected for _, expected in [*QUERIES, *STATEMENTS])
    kinds = {
        name
        for module in (tree, commands, modifications_tree, partitions_tree)
        for name in module.__all__
        if name not in ("Node", "LaterWrite", "Modification") and f"{name}(" not in shown_texts
    }
    own_form = {
        "Arg", "ArrayExpr", "ArrayQuery", "Between", "BoolExpr", "CaseExpr", "Collate", "Constant",
        "Exists", "FieldAccess", "FuncCall", "InTest", "IsJson", "IsTest", "LikeTest", "NameRef",
        "Operator", "OrderItem", "ParameterRef", "Quantified", "QueryExpr", "RowExpr", "Slice",
        "Star", "Subscript", "TypeCast", "TypeName",
    }  # fmt: skip
    assert kinds <= own_form


# --- precedence, from every level to the next ----------------------------------------------------

LEVELS = [
    ("or",),
    ("and",),
    ("=", "<>", "<", "<=", ">", ">="),
    ("like", "ilike", "similar to"),
    ("||", "->", "@>", "&", "~"),
    ("+", "-"),
    ("*", "/", "%"),
    ("^",),
]


@pytest.mark.parametrize("low", range(len(LEVELS)))
@pytest.mark.parametrize("high", range(len(LEVELS)))
def test_operators_bind_by_their_levels(low: int, high: int) -> None:
    if low >= high:
        return
    for loose in LEVELS[low]:
        for tight in LEVELS[high]:
            assert expression(f"a {loose} b {tight} c") == expression(f"a {loose} (b {tight} c)")
            assert expression(f"a {tight} b {loose} c") == expression(f"(a {tight} b) {loose} c")


@pytest.mark.parametrize("op", [op for level in LEVELS[4:] for op in level])
def test_operators_are_left_associative(op: str) -> None:
    assert expression(f"a {op} b {op} c") == f"((a {op} b) {op} c)"


# --- AS OF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "alias"),
    [
        ("SELECT * FROM orders AS OF LSN 41", None),
        ("SELECT * FROM orders AS OF LSN 41 o", "o"),
        ("SELECT * FROM orders AS OF LSN 41 AS o", "o"),
        ("SELECT * FROM public.orders as of lsn 41 AS o WHERE 1 = 1", "o"),
        ("SELECT * FROM x, orders AS OF LSN 41 AS o", "o"),
        ("SELECT * FROM x JOIN orders AS OF LSN 41 AS o ON x.a = o.a", "o"),
    ],
)
def test_as_of_stands_between_the_name_and_the_alias(sql: str, alias: str | None) -> None:
    parsed = parse_text(sql)
    (clause,) = parsed.versions
    assert (clause.kind, clause.value.value) == ("lsn", "41")
    item = parsed.tree.body.from_[-1]
    table = item.right if isinstance(item, tree.JoinRef) else item
    assert (table.name[-1], table.alias, table.as_of) == ("orders", alias, clause)


def test_quoted_of_is_an_alias() -> None:
    (table,) = statement('SELECT * FROM t AS "of"').body.from_
    assert (table.alias, table.as_of) == ("of", None)


def test_an_explicit_alias_may_be_called_archived() -> None:
    (table,) = statement("SELECT * FROM t AS archived").body.from_
    assert table.alias == "archived"


def test_positions_are_those_of_the_first_character() -> None:
    body = statement("SELECT a,\n  b + cc").body
    assert [(item.at, item.expr.at) for item in body.items] == [(7, 7), (12, 14)]
    assert shown(body.items[1].expr.args[1]) == "cc"


# --- errors ---------------------------------------------------------------------------------------

ERRORS = [
    ("SELECT a FRM t WHERE", 1, 14, "t"),
    ("SELECT a\nFROM t\nWHERE a = = 1", 3, 11, "="),
    ("foo bar", 1, 1, "foo"),
    ("CREATE TABLE t (a INT,)", 1, 23, ")"),
    ("CREATE TABLE t (check INT)", 1, 17, "check"),
    ("SELECT 1 +", 1, 11, None),
    ("SELECT (1", 1, 10, None),
    ("SELECT 1)", 1, 9, ")"),
    ("SELECT a b c", 1, 12, "c"),
    ("SELECT a = b = c", 1, 14, "="),
    ("SELECT a < b > c", 1, 14, ">"),
    ("SELECT a LIKE b LIKE c", 1, 17, "LIKE"),
    ("SELECT 5 !", 1, 11, None),
    ("SELECT a over FROM t", 1, 10, "over"),
    ("SELECT 1 AS FROM t", 1, 18, "t"),
    ("SELECT CASE END", 1, 13, "END"),
    ("SELECT CASE WHEN a END", 1, 20, "END"),
    ("SELECT CAST(a int)", 1, 15, "int"),
    ("SELECT a IS 5", 1, 13, "5"),
    ("SELECT a BETWEEN 1 OR 2", 1, 20, "OR"),
    ("SELECT a IN ()", 1, 14, ")"),
    ("SELECT count(* a)", 1, 16, "a"),
    ("SELECT f(*, a)", 1, 11, ","),
    ("SELECT array[1", 1, 15, None),
    ("SELECT x[1", 1, 11, None),
    ("SELECT extract(year a)", 1, 21, "a"),
    ("SELECT sum(a) OVER (ROWS 1)", 1, 27, ")"),
    ("SELECT sum(a) OVER (PARTITION a)", 1, 21, "PARTITION"),
    ("SELECT * 5", 1, 10, "5"),
    ("SELECT / 5", 1, 8, "/"),
    ("SELECT a AND = 5", 1, 14, "="),
    ("SELECT a OVERLAPS b", 1, 20, None),
    ("SELECT 1 FROM", 1, 14, None),
    ("SELECT 1 FROM t JOIN", 1, 21, None),
    ("SELECT 1 FROM a JOIN b", 1, 23, None),
    ("SELECT 1 FROM a NATURAL b", 1, 25, "b"),
    ("SELECT 1 FROM select", 1, 15, "select"),
    ("SELECT 1 WHERE", 1, 15, None),
    ("SELECT 1 GROUP a", 1, 10, "GROUP"),
    ("SELECT 1 ORDER a", 1, 10, "ORDER"),
    ("SELECT 1 LIMIT", 1, 15, None),
    ("SELECT 1 FETCH FIRST 1", 1, 23, None),
    ("SELECT 1 UNION", 1, 15, None),
    ("VALUES 1", 1, 8, "1"),
    ("WITH a AS SELECT 1 SELECT 2", 1, 11, "SELECT"),
    ("WITH a (SELECT 1) SELECT 2", 1, 9, "SELECT"),
    ("INSERT t VALUES (1)", 1, 8, "t"),
    ("DROP TABLE", 1, 11, None),
    ("CREATE TABLE t", 1, 15, None),
    ("CREATE TABLE t ()", 1, 17, ")"),
    ("CREATE TABLE t (a)", 1, 19, None),
    ("COPY t", 1, 7, None),
    ("COPY t FROM x", 1, 13, "x"),
    ("CREATE TABLE t (a int PRIMARY)", 1, 23, "PRIMARY"),
    ("CREATE TABLE t (a int, PRIMARY KEY a)", 1, 36, "a"),
    ("CREATE TABLE t (a int, UNIQUE ())", 1, 32, ")"),
    ("UPDATE t", 1, 9, None),
    ("UPDATE t SET", 1, 13, None),
    ("UPDATE t SET a", 1, 15, None),
    ("UPDATE t SET a = 1 FROM", 1, 24, None),
    ("UPDATE t SET a = 1 RETURNING", 1, 29, None),
    ("DELETE t", 1, 8, "t"),
    ("DELETE FROM t USING", 1, 20, None),
    ("INSERT INTO t VALUES (1) ON CONFLICT", 1, 37, None),
    ("INSERT INTO t VALUES (1) ON CONFLICT () DO NOTHING", 1, 39, ")"),
    ("INSERT INTO t VALUES (1)\nON CONFLICT (a) DO DELETE", 2, 20, "DELETE"),
    ("MERGE INTO t", 1, 13, None),
    ("MERGE INTO t USING u", 1, 21, None),
    ("MERGE INTO t USING u ON true", 1, 29, None),
    ("MERGE INTO t USING u ON true\nWHEN MATCHED THEN INSERT", 2, 19, "INSERT"),
    ("MERGE INTO t USING u ON true\nWHEN NOT MATCHED THEN DELETE", 2, 23, "DELETE"),
    ("TRUNCATE", 1, 9, None),
]
OURS = [
    ("SELECT * FROM t AS OF 41", 1, 23, "41"),
    ("SELECT * FROM t AS OF LSN", 1, 26, None),
    ("SELECT * FROM t x AS OF LSN 4", 1, 19, "AS"),
    ("SELECT * FROM (SELECT 1) AS OF LSN 4", 1, 26, "AS"),
    ("CREATE TABLE t (a int) CLUSTER BY (a) CLUSTER BY (a)", 1, 39, "CLUSTER"),
    ("CREATE TABLE t (a int) CLUSTER BY ()", 1, 36, ")"),
]


@pytest.mark.parametrize(("sql", "line", "column", "near"), [*ERRORS, *OURS])
def test_syntax_errors_have_a_place(sql: str, line: int, column: int, near: str | None) -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        parse_text(sql)
    place = f"line {line}, column {column}"
    assert (f"{place} near {near!r}" if near else f"{place}:") in str(caught.value)
    if near is None:
        assert "found the end" in str(caught.value)
    assert sql.splitlines()[line - 1].strip()[:40].strip() in str(caught.value)
    assert caught.value.sqlstate == "42601"


# --- refused by name ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("USE BRANCH trial", "USE"),
        ("DIFF BRANCH trial", "DIFF BRANCH"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("FETCH 1 FROM c", "FETCH"),
        ("SELECT * FROM t ARCHIVED", "ARCHIVED"),
        ("SELECT 1 INTO x", "INTO"),
        ("SELECT 1 FROM t FOR UPDATE", "FOR UPDATE"),
        ("SELECT a IS DOCUMENT", "IS DOCUMENT"),
        ("SELECT B'101'", "BIT"),
        ("SELECT a::bit", "BIT"),
        ("SELECT 1 FROM (a JOIN b ON c) AS x", "alias of a join"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "DELETE"),
        ("WITH RECURSIVE x AS (SELECT 1) CYCLE a SET b USING c SELECT 1", "CYCLE"),
        ("EXPLAIN (FORMAT json) SELECT 1", "FORMAT"),
        ("CREATE TABLE t (a INT REFERENCES b (c))", "REFERENCES"),
        ("EXPLAIN CREATE TABLE t (a int)", "EXPLAIN"),
        ("CREATE TABLE t (a INT UNIQUE NULLS NOT DISTINCT)", "NULLS NOT DISTINCT"),
        ("CREATE TABLE t (a INT, UNIQUE NULLS NOT DISTINCT (a))", "NULLS NOT DISTINCT"),
        ("CREATE TABLE t (a INT PRIMARY KEY DEFERRABLE)", "DEFERRABLE"),
        ("CREATE TABLE t (a INT, UNIQUE (a) INCLUDE (b), b INT)", "INCLUDE"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE a > 1 DO NOTHING", "WHERE"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (lower(a)) DO NOTHING", "expression"),
        ("UPDATE t SET a[1] = 2", "part of column a"),
        ("UPDATE t SET (a, b) = 1", "ROW"),
        ("DELETE FROM t WHERE CURRENT OF c", "CURRENT OF"),
        ("MERGE INTO t USING u ON true WHEN NOT MATCHED BY SOURCE THEN DELETE", "SOURCE"),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING a", "RETURNING"),
        ("CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES b (c))", "FOREIGN KEY"),
        ("CREATE TABLE t (a INT GENERATED ALWAYS AS (b + 1) STORED)", "GENERATED"),
        ("CREATE TABLE t (a SERIAL[])", "array of serial"),
        ("CREATE TABLE t (a INT) PARTITION BY LINEAR HASH (a) PARTITIONS 4", "LINEAR"),
        ("CREATE TABLE t (a INT) PARTITION BY HASH (a + 1) PARTITIONS 4", "an expression"),
        ("CREATE TABLE t (a INT) PARTITION BY RANGE (a) SUBPARTITION BY HASH (a)", "SUBPARTITION"),
        ("CREATE TABLE t PARTITION OF u DEFAULT", "PARTITION OF"),
        ("ALTER TABLE t TRUNCATE PARTITION p", "TRUNCATE PARTITION"),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u WITHOUT VALIDATION", "WITHOUT"),
        ("COPY t FROM STDIN", "STDIN"),
        ("VACUUM VERBOSE t", r"VERBOSE .* mobula.tasks\(\)"),
        ("ANALYZE (VERBOSE)", "ANALYZE VERBOSE"),
        ("VACUUM (PARALLEL 4) t", "VACUUM .PARALLEL"),
        ("VACUUM (INDEX_CLEANUP auto)", "INDEX_CLEANUP"),
        ("VACUUM (BUFFER_USAGE_LIMIT '1MB')", "BUFFER_USAGE_LIMIT"),
        ("VACUUM t (a)", "ANALYZE option must be specified"),
    ],
)
def test_what_comes_later_is_refused_by_its_name(sql: str, name: str) -> None:
    with pytest.raises(NotYet, match=name) as caught:
        parse_text(sql)
    assert caught.value.sqlstate == "0A000"


@pytest.mark.parametrize("sql", ["USE WAREHOUSE bi", "KILL 'x'"])
def test_statements_of_the_session_are_no_business_of_planners(sql: str) -> None:
    with pytest.raises(InvalidRequest, match=r"run it by itself, with Database\.sql") as caught:
        parse_text(sql)
    assert caught.value.sqlstate == "25001"


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE WAREHOUSE bi", "CREATE WAREHOUSE"),
        ("ALTER WAREHOUSE bi SET size = 2", "ALTER WAREHOUSE"),
        ("DROP WAREHOUSE bi", "DROP WAREHOUSE"),
        ("CREATE BRANCH trial", "CREATE BRANCH"),
        ("MERGE BRANCH trial", "MERGE BRANCH"),
        ("DROP BRANCH trial", "DROP BRANCH"),
        ("CLONE TABLE a TO b", "CLONE TABLE"),
        ("UNDROP TABLE a", "UNDROP TABLE"),
        ("ATTACH 'x' AS y", "ATTACH"),
        ("CREATE STREAM s ON TABLE t", "CREATE STREAM"),
        ("ARCHIVE TABLE t", "ARCHIVE"),
        ("UPSERT INTO t VALUES (1)", "UPSERT"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE OR REPLACE"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE SEQUENCE s", "CREATE SEQUENCE"),
        ("ALTER TABLE t ADD COLUMN a INT", "ALTER TABLE"),
        ("DROP VIEW v", "DROP VIEW"),
        ("COMMENT ON VIEW v IS 'x'", "COMMENT ON VIEW"),
    ],
)
def test_writes_that_come_later_parse_as_writes(sql: str, name: str) -> None:
    found = statement(sql)
    assert isinstance(found, commands.LaterWrite)
    assert found.what == name


# --- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> Iterator[postgresql.Session]:
    if not postgresql.available():
        pytest.skip("the packages pgserver and psycopg are not installed")
    with postgresql.server() as server, server.session() as found:
        yield found


def is_ours(sql: str) -> bool:
    words = ("describe", "desc ", "show tables", "show schemas", "show warehouses", "cluster by")
    # PostgreSQL refuses a bare DEFAULT and a field of a row without parentheses while it parses.
    words += ("values (1, 'a'), (2, default)", "select row(a, b).f1")
    words += ("MERGE INTO t AS x",)  # BY TARGET came with 17
    extended = (
        "micropartition_rows",
        "as of",
        "BY TARGET",
        "from 's3:",
        ":name",
        "explain of",
        "respect nulls",
    )
    if sql.startswith(("create", "alter")) and " partition " in sql:  # MySQL's words
        return True
    return sql.startswith(words) or any(
        word in sql for word in (*extended, "cluster by", "clustering")
    )


def test_postgresql_parses_what_we_parse(session: postgresql.Session) -> None:
    texts = [f"SELECT {sql}" for sql, _ in EXPRESSIONS] + [sql for sql, _ in QUERIES]
    texts += [sql for sql, _ in STATEMENTS if not sql.startswith(("copy", "create table t with"))]
    refused = [sql for sql in texts if not is_ours(sql) and _refuses(session, sql)]
    assert not refused


def test_postgresql_refuses_what_we_refuse(session: postgresql.Session) -> None:
    taken = [sql for sql, *_ in ERRORS if not _refuses(session, sql)]
    assert taken == ["CREATE TABLE t ()"]  # a table without columns


def _refuses(session: postgresql.Session, sql: str) -> bool:
    return session.run(sql).error == "42601"
