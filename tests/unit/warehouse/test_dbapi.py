"""PEP 249: the module, connections, cursors, values, types and errors."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import warehouse
from storage.errors import (
    Conflict,
    CorruptData,
    InternalError,
    InvalidRequest,
    NotYet,
    OutOfMemory,
    SqlSyntaxError,
    Unavailable,
    UnknownObject,
)
from warehouse import dbapi
from warehouse.dbapi.errors import translated
from warehouse.dbapi.many import ROWS_MAX, InsertTemplate


@pytest.fixture
def connection(request: pytest.FixtureRequest) -> Iterator[dbapi.Connection]:
    with dbapi.connect(f"memory://{uuid.uuid4()}", engine="local") as made:
        made.execute("CREATE TABLE items (id INT, name VARCHAR(20), price NUMERIC(10, 2))")
        made.commit()
        yield made


@pytest.fixture
def cursor(connection: dbapi.Connection) -> dbapi.Cursor:
    return connection.cursor()


def value(cursor: dbapi.Cursor, text: str, parameters: Any = None) -> Any:
    row = cursor.execute(text, parameters).fetchone()
    assert row is not None
    return row[0]


# --- the module -----------------------------------------------------------------------------------


def test_the_module_says_what_it_is() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 2, "named")


def test_the_errors_are_the_tree_of_pep_249() -> None:
    assert issubclass(dbapi.Warning, Exception)
    assert issubclass(dbapi.InterfaceError, dbapi.Error)
    for name in ("Data", "Operational", "Integrity", "Internal", "Programming", "NotSupported"):
        kind = getattr(dbapi, f"{name}Error")
        assert issubclass(kind, dbapi.DatabaseError)
        assert getattr(dbapi.Connection, f"{name}Error") is kind


def test_the_constructors_make_values() -> None:
    assert dbapi.Date(2026, 11, 20) == datetime.date(2026, 11, 20)
    assert dbapi.Time(10, 30) == datetime.time(10, 30)
    assert dbapi.Timestamp(2026, 11, 20, 10) == datetime.datetime(2026, 11, 20, 10)
    assert dbapi.Binary(b"a") == b"a"
    moment = datetime.datetime(2026, 11, 20, 10, 30)
    ticks = moment.timestamp()
    assert dbapi.DateFromTicks(ticks) == moment.date()
    assert dbapi.TimeFromTicks(ticks) == moment.time()
    assert dbapi.TimestampFromTicks(ticks) == moment


@pytest.mark.parametrize(
    ("error", "kind", "sqlstate"),
    [
        (NotYet("x"), dbapi.NotSupportedError, "0A000"),
        (InvalidRequest("x", "22012"), dbapi.DataError, "22012"),
        (InvalidRequest("x", "23502"), dbapi.IntegrityError, "23502"),
        (InvalidRequest("x", "08P01"), dbapi.ProgrammingError, "08P01"),
        (UnknownObject("x", "3F000"), dbapi.ProgrammingError, "3F000"),
        (SqlSyntaxError("x"), dbapi.ProgrammingError, "42601"),
        (Conflict("x"), dbapi.OperationalError, "40001"),
        (Unavailable("x"), dbapi.OperationalError, "57P03"),
        (OutOfMemory("x"), dbapi.OperationalError, "53200"),
        (CorruptData("x"), dbapi.InternalError, "XX001"),
        (InternalError("x"), dbapi.InternalError, "XX000"),
    ],
)
def test_the_class_of_the_sqlstate_decides_the_error(
    error: Exception, kind: type[dbapi.Error], sqlstate: str
) -> None:
    with pytest.raises(kind) as found, translated():
        raise error
    assert type(found.value) is kind
    assert found.value.sqlstate == sqlstate
    assert found.value.__cause__ is error
    assert str(found.value) == str(error)


# --- statements -----------------------------------------------------------------------------------


def test_rows_are_fetched_one_by_one_in_groups_and_to_the_end(cursor: dbapi.Cursor) -> None:
    cursor.execute("SELECT n FROM generate_series(1, 10000) AS s(n) ORDER BY n")
    assert cursor.rowcount == 10_000
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(3) == [(3,), (4,), (5,)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(6,), (7,)]
    assert cursor.rownumber == 7
    assert cursor.fetchmany(0) == []
    assert cursor.fetchall() == [(n,) for n in range(8, 10_001)]
    assert cursor.fetchone() is None
    assert cursor.fetchmany(5) == []
    assert cursor.fetchall() == []


def test_a_cursor_is_an_iterator_of_its_rows(cursor: dbapi.Cursor) -> None:
    assert list(cursor.execute("VALUES (1, 'a'), (2, NULL)")) == [(1, "a"), (2, None)]


def test_arrow_takes_up_where_the_fetching_stopped(cursor: dbapi.Cursor) -> None:
    cursor.execute("SELECT n FROM generate_series(1, 10000) AS s(n) ORDER BY n")
    cursor.fetchmany(5000)
    table = cursor.fetch_arrow_table()
    assert table["n"].to_pylist() == list(range(5001, 10_001))
    assert cursor.fetchone() is None
    cursor.execute("SELECT 1 AS a WHERE false")
    assert cursor.fetch_arrow_table().schema.names == ["a"]
    reader = cursor.execute("SELECT 7 AS a").fetch_record_batch_reader()
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_all().to_pylist() == [{"a": 7}]


@pytest.mark.parametrize("stream", [False, True])
def test_both_kinds_of_cursors_give_the_same_rows(
    connection: dbapi.Connection, stream: bool
) -> None:
    cursor = connection.cursor(stream=stream)
    cursor.execute(
        "SELECT n, n::text FROM generate_series(1, :last) AS s(n) ORDER BY 1", {"last": 9}
    )
    assert cursor.rowcount == (-1 if stream else 9)
    assert [column[0] for column in cursor.description or ()] == ["n", "n"]
    assert cursor.fetchmany(2) == [(1, "1"), (2, "2")]
    assert cursor.fetchall()[-1] == (9, "9")
    with pytest.raises(dbapi.DataError, match="division by zero"):
        cursor.execute("SELECT 1 / (n - 5) FROM generate_series(1, 9) AS s(n)").fetchall()


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SELECT :a + :b * 2", {"a": 1, "b": 2}),
        ("SELECT $a + $b * 2", {"a": 1, "b": 2}),
        ("SELECT :1 + :2 * 2", (1, 2)),
        ("SELECT $1 + $2 * 2", [1, 2]),
    ],
)
def test_parameters_have_names_or_numbers(cursor: dbapi.Cursor, text: str, parameters: Any) -> None:
    assert value(cursor, text, parameters) == 5


def test_the_colon_of_a_slice_is_no_parameter(cursor: dbapi.Cursor) -> None:
    assert value(cursor, "SELECT (ARRAY[1, 2, 3])[2:3]") == [2, 3]
    assert value(cursor, "SELECT '1'::int") == 1


def test_writes_say_how_many_rows(cursor: dbapi.Cursor) -> None:
    cursor.execute(
        "INSERT INTO items VALUES (:1, :2, :3), (2, 'b', NULL)", (1, "a", Decimal("1.5"))
    )
    assert cursor.rowcount == 2
    assert cursor.statusmessage == "INSERT 0 2"
    assert cursor.description is None
    with pytest.raises(dbapi.ProgrammingError, match="no rows"):
        cursor.fetchone()
    cursor.execute("CREATE TABLE more (a INT)")
    assert cursor.rowcount == -1
    assert cursor.execute("SELECT * FROM items ORDER BY id").fetchall() == [
        (1, "a", Decimal("1.50")),
        (2, "b", None),
    ]


def test_description_tells_types_digits_and_lengths(cursor: dbapi.Cursor) -> None:
    cursor.execute("SELECT *, now() AS t, '\\x01'::bytea AS b, true AS f, ARRAY[1] AS l FROM items")
    assert cursor.description is not None
    assert all(len(column) == 7 for column in cursor.description)
    by_name = {column[0]: column for column in cursor.description}
    assert by_name["id"][1:] == ("int4", None, 4, None, None, None)
    assert by_name["name"][1:3] == ("varchar", 20)
    assert by_name["price"][4:6] == (10, 2)
    groups = {name: column[1] for name, column in by_name.items()}
    assert groups["id"] == dbapi.NUMBER
    assert groups["price"] == dbapi.NUMBER
    assert groups["name"] == dbapi.STRING
    assert groups["t"] == dbapi.DATETIME
    assert groups["b"] == dbapi.BINARY
    assert groups["f"] not in (dbapi.NUMBER, dbapi.STRING, dbapi.BINARY, dbapi.ROWID)
    assert groups["l"] == "_int4"


def test_procedures_are_called(cursor: dbapi.Cursor) -> None:
    assert cursor.callproc("mobula.drop_temporary", [60]) == [60]
    with pytest.raises(dbapi.ProgrammingError, match="does not exist"):
        cursor.callproc("mobula.no_such")
    cursor.execute("SELECT 1")
    assert cursor.nextset() is None
    cursor.setinputsizes([1])
    cursor.setoutputsize(1)


# --- many rows ------------------------------------------------------------------------------------


def test_many_rows_are_written_in_few_commits(
    connection: dbapi.Connection, cursor: dbapi.Cursor
) -> None:
    count = ROWS_MAX + 10
    before = connection.target.sql("SELECT 1").stats.snapshot_lsn
    cursor.executemany(
        "INSERT INTO items (id, name) VALUES (:id, upper(:name));",
        ({"id": n, "name": f"n{n}" if n % 2 else None} for n in range(count)),
    )
    assert cursor.rowcount == count
    assert connection.target.sql("SELECT 1").stats.snapshot_lsn == before + 2
    found = cursor.execute("SELECT count(*), count(name), max(name), sum(id) FROM items").fetchone()
    assert found == (count, count // 2, "N999", count * (count - 1) // 2)


def test_many_rows_by_number_keep_defaults_and_order_of_parameters(cursor: dbapi.Cursor) -> None:
    cursor.execute("CREATE TABLE d (a INT DEFAULT 7, b TEXT, c INT)")
    cursor.executemany("INSERT INTO d VALUES (DEFAULT, :2, :1 + :1)", [(1, "x"), (2, "y")])
    assert cursor.execute("SELECT * FROM d ORDER BY c").fetchall() == [(7, "x", 2), (7, "y", 4)]


def test_statements_of_another_form_run_once_per_row(cursor: dbapi.Cursor) -> None:
    cursor.executemany("INSERT INTO items (id) SELECT :1 WHERE :1 > 1", [(1,), (2,), (3,)])
    assert cursor.rowcount == 2
    cursor.executemany("INSERT INTO items (id) VALUES (:1)", [])
    assert cursor.rowcount == 0


def test_changes_are_counted_and_return_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE stock (item VARCHAR(9) PRIMARY KEY, amount INT)")
    cursor.execute(
        "INSERT INTO stock VALUES ('pen', 1), ('cup', 2) RETURNING item, amount + 1 AS n"
    )
    assert (cursor.rowcount, cursor.statusmessage) == (2, "INSERT 0 2")
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["item", "n"]
    assert sorted(cursor.fetchall()) == [("cup", 3), ("pen", 2)]
    cursor.execute("UPDATE stock SET item = item || 's', amount = :1", (5,))
    assert (cursor.rowcount, cursor.description) == (2, None)
    cursor.execute("DELETE FROM stock WHERE item = :item RETURNING amount", {"item": "pens"})
    assert cursor.fetchall() == [(5,)]
    cursor.execute("UPDATE stock SET amount = 0 WHERE false RETURNING amount")
    assert (cursor.rowcount, cursor.fetchall()) == (0, [])
    upsert = "INSERT INTO stock VALUES (:1, :2) ON CONFLICT (item) DO UPDATE SET amount = :2"
    cursor.executemany(upsert, [("hat", 1), ("hat", 2), ("cups", 3)])
    assert cursor.rowcount == 3
    cursor.execute("SELECT item, amount FROM stock ORDER BY item")
    assert cursor.fetchall() == [("cups", 3), ("hat", 2)]


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT :1",
        "INSERT INTO t VALUES (:1), (2)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT * FROM (VALUES (:1)) AS v",
        "SELECT * FROM (VALUES (:1)) AS v",
        "VALUES (:1)",
    ],
)
def test_only_an_insert_of_one_tuple_is_a_template(text: str) -> None:
    assert InsertTemplate.of(text) is None


def test_a_row_with_other_parameters_is_refused(cursor: dbapi.Cursor) -> None:
    for row in ((1,), (1, 2, 3), {"1": 1}):
        with pytest.raises(dbapi.ProgrammingError, match="parameters"):
            cursor.executemany("INSERT INTO items (id, price) VALUES (:1, :2)", [row])


# --- values ---------------------------------------------------------------------------------------

ID = uuid.UUID("00000000-0000-0000-0000-0000000000ff")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NULL", None),
        ("true", True),
        ("1.50::numeric(5, 2)", Decimal("1.50")),
        ("1.5::float8", 1.5),
        ("'a'", "a"),
        ("'\\x00ff'::bytea", b"\x00\xff"),
        ("DATE '2026-11-20'", datetime.date(2026, 11, 20)),
        ("TIME '10:30:00.5'", datetime.time(10, 30, 0, 500_000)),
        ("TIMESTAMP '2026-11-20 10:30'", datetime.datetime(2026, 11, 20, 10, 30)),
        (
            "TIMESTAMPTZ '2026-11-20 10:30+01'",
            datetime.datetime(2026, 11, 20, 9, 30, tzinfo=datetime.UTC),
        ),
        ("INTERVAL '2 days 1 hour'", datetime.timedelta(days=2, hours=1)),
        ("INTERVAL '-1 second'", datetime.timedelta(seconds=-1)),
        ("INTERVAL '1 year 1 day'", warehouse.Interval(12, 1, 0)),
        (f"'{ID}'::uuid", ID),
        ("""'{"b": 1.10, "a": null}'::json""", '{"b": 1.10, "a": null}'),
        ("ARRAY['a', NULL]", ["a", None]),
        (f"ARRAY[NULL, '{ID}'::uuid]", [None, ID]),
        ("ARRAY[INTERVAL '1 day']", [datetime.timedelta(days=1)]),
        ("ROW(1, 'a', INTERVAL '1 day')", (1, "a", datetime.timedelta(days=1))),
    ],
)
def test_values_have_python_types(cursor: dbapi.Cursor, text: str, expected: Any) -> None:
    found = value(cursor, f"SELECT {text}")
    assert found == expected
    assert type(found) is type(expected)
    assert repr(found) == repr(expected)


def test_composites_are_dictionaries_and_nested_values_have_python_types(
    cursor: dbapi.Cursor,
) -> None:
    cursor.execute("CREATE TYPE place AS (id UUID, took INTERVAL)")
    cursor.execute("CREATE TYPE trip AS (name TEXT, places place[])")
    text = f"SELECT ROW('a', ARRAY[ROW('{ID}', INTERVAL '1 hour'), NULL]::place[])::trip"
    place = {"id": ID, "took": datetime.timedelta(hours=1)}
    assert value(cursor, text) == {"name": "a", "places": [place, None]}
    assert value(cursor, "SELECT NULL::trip") is None


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        2**40,
        1.5,
        Decimal("1.50"),
        b"\x00",
        datetime.date(2026, 11, 20),
        datetime.time(10, 30),
        datetime.datetime(2026, 11, 20, 10, 30),
        datetime.datetime(2026, 11, 20, 10, 30, tzinfo=datetime.UTC),
        datetime.timedelta(days=-1, microseconds=5),
        ID,
    ],
)
def test_a_value_comes_back_as_it_went(cursor: dbapi.Cursor, given: Any) -> None:
    found = value(cursor, "SELECT :1", (given,))
    assert found == given
    assert type(found) is type(given)


def test_an_interval_with_months_comes_back_as_it_went(cursor: dbapi.Cursor) -> None:
    given = dbapi.Interval(14, -3, 5)
    assert value(cursor, "SELECT :1", (given,)) == given
    assert value(cursor, "SELECT :1::text", (dbapi.Interval(14, 3),)) == "1 year 2 mons 3 days"


def test_a_moment_that_python_does_not_have_is_a_data_error(cursor: dbapi.Cursor) -> None:
    cursor.execute("SELECT DATE '9999-12-31' + n FROM generate_series(1, 1) AS s(n)")
    with pytest.raises(dbapi.DataError, match="years 1 to 9999"):
        cursor.fetchone()


def test_results_of_the_database_have_the_same_values(connection: dbapi.Connection) -> None:
    found = connection.target.sql(f"SELECT '{ID}'::uuid, INTERVAL '1 day'")
    assert found.rows() == [(ID, datetime.timedelta(days=1))]
    assert connection.target.sql("SELECT now()").scalar().tzinfo is datetime.UTC


# --- connections ----------------------------------------------------------------------------------


def test_with_autocommit_commit_has_nothing_to_do_and_rollback_does_not_pretend(
    connection: dbapi.Connection,
) -> None:
    connection.rollback()
    connection.execute("SELECT * FROM items")
    connection.rollback()
    connection.execute("INSERT INTO items (id) VALUES (1)")
    with pytest.raises(dbapi.NotSupportedError, match="each statement commits by itself"):
        connection.rollback()
    connection.commit()
    connection.rollback()
    assert connection.autocommit
    connection.autocommit = True


def test_transactions_without_autocommit(connection: dbapi.Connection) -> None:
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("INSERT INTO items (id) VALUES (1)")
    assert value(cursor, "SELECT count(*) FROM items") == 1
    with pytest.raises(dbapi.ProgrammingError, match="inside a transaction"):
        connection.autocommit = True
    connection.rollback()
    assert value(cursor, "SELECT count(*) FROM items") == 0
    cursor.executemany("INSERT INTO items (id) VALUES (:id)", [{"id": n} for n in range(3)])
    connection.commit()
    connection.commit()
    with pytest.raises(dbapi.NotSupportedError, match="inside a transaction"):
        cursor.execute("CREATE TABLE other (a INT)")
    with pytest.raises(dbapi.DatabaseError, match="aborted"):
        cursor.execute("SELECT 1")
    with pytest.raises(dbapi.OperationalError, match="rolled back"):
        connection.commit()
    with connection.cursor(stream=True) as stream:
        cursor.execute("DELETE FROM items WHERE id = 1")
        assert sorted(stream.execute("SELECT id FROM items").fetchall()) == [(0,), (2,)]
    connection.rollback()
    connection.autocommit = True
    assert value(cursor, "SELECT count(*) FROM items") == 3
    cursor.execute("BEGIN")
    cursor.execute("DELETE FROM items")
    connection.rollback()
    assert value(cursor, "SELECT count(*) FROM items") == 3


def test_what_is_not_committed_goes_with_the_connection() -> None:
    with warehouse.connect(f"memory://{uuid.uuid4()}", engine="local") as db:
        db.sql("CREATE TABLE items (id INT)")
        with dbapi.connect(db) as one:
            one.autocommit = False
            one.execute("INSERT INTO items VALUES (1)")
        assert db.sql("SELECT count(*) FROM items").scalar() == 0
        with dbapi.connect(db.create_virtual_warehouse("bi")) as reading:
            reading.autocommit = False
            assert reading.execute("SELECT 1").fetchall() == [(1,)]
            reading.commit()
            reading.rollback()


def test_what_is_closed_is_refused(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    with cursor:
        cursor.execute("SELECT 1")
    with pytest.raises(dbapi.InterfaceError, match="cursor is closed"):
        cursor.fetchone()
    other = connection.cursor()
    connection.close()
    connection.close()
    for call in (connection.commit, connection.rollback, connection.cursor, other.fetchone):
        with pytest.raises(dbapi.InterfaceError, match="connection is closed"):
            call()


def test_an_open_database_or_warehouse_stays_open() -> None:
    with warehouse.connect(f"memory://{uuid.uuid4()}", engine="local") as db:
        bi = db.create_virtual_warehouse("bi")
        for target in (db, bi):
            with dbapi.connect(target) as connection:
                assert connection.execute("SELECT 1").fetchall() == [(1,)]
            assert target.sql("SELECT 1").scalar() == 1
        with pytest.raises(dbapi.ProgrammingError, match="only reads"):
            dbapi.connect(bi).execute("CREATE TABLE t (a INT)")
        with pytest.raises(dbapi.InterfaceError, match="options are for a root"):
            dbapi.connect(db, engine="local")


def test_connecting_raises_errors_of_the_module() -> None:
    with pytest.raises(dbapi.DatabaseError, match="engine 'none' is unknown"):
        dbapi.connect("memory://x", engine="none")


def test_errors_of_statements_carry_sqlstate_and_cause(cursor: dbapi.Cursor) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="does not exist") as found:
        cursor.execute("SELECT * FROM nothing")
    assert found.value.sqlstate == "42P01"
    assert isinstance(found.value.__cause__, UnknownObject)
    with pytest.raises(dbapi.NotSupportedError):
        cursor.execute("LISTEN x")
    with pytest.raises(dbapi.ProgrammingError, match="a sequence or a mapping, not a str"):
        cursor.execute("SELECT :1", "a")
    assert value(cursor, "SELECT 1") == 1


def test_pandas_reads(connection: dbapi.Connection) -> None:
    connection.execute("INSERT INTO items VALUES (1, 'a', 1.5), (2, NULL, NULL)")
    with pytest.warns(UserWarning, match="SQLAlchemy"):
        found = pd.read_sql(
            "SELECT id, name FROM items WHERE id <= :top ORDER BY id", connection, params={"top": 2}
        )
    assert found["id"].tolist() == [1, 2]
    assert found["name"][0] == "a"
