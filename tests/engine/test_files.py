"""Files in FROM, COPY both ways, and loads of text files, through the public face."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import warehouse
from tests.s3_server import S3Server, moto_server
from warehouse import Database, InvalidRequest, UnknownObject

ITEMS = """id,name,price,day,ok,at
1,"a, b",1.5,2024-01-01,true,2024-01-01 10:00:00
2,,2,2024-01-02,false,
3,"",3,2024-01-03,,2024-01-01
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's directory, where relative paths begin."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Database]:
    with warehouse.connect(str(tmp_path / "db"), engine="local") as database:
        yield database


def test_files_are_sampled(local: Database, here: Path) -> None:
    (here / "n.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(1000)))
    for source in ("'n.csv'", "'n.csv' AS t", "read_csv('n.csv') AS t"):
        half = f"SELECT count(*) FROM {source} TABLESAMPLE BERNOULLI (50) REPEATABLE (7)"
        assert 300 < local.sql(half).scalar() < 700
        assert local.sql(half).scalar() == local.sql(half).scalar()
        assert local.sql(f"SELECT count(*) FROM {source} TABLESAMPLE SYSTEM (100)").scalar() == 1000


def test_seconds_are_rounded_alike_on_every_way_in(local: Database, here: Path) -> None:
    late, early = datetime(2024, 1, 1, 0, 0, 0, 500_000), datetime(1990, 1, 1, 0, 0, 0, 500_000)
    local.sql("CREATE TABLE t (way text, at timestamp(0) DEFAULT '2024-01-01 00:00:00.5')")
    local.sql("INSERT INTO t VALUES ('insert', $1), ('insert', $2)", [late, early])
    local.sql("INSERT INTO t (way) VALUES ('default')")
    local.table("t").append(pa.table({"way": ["append", "append"], "at": [late, early]}))
    (here / "rows.csv").write_text(f"way,at\ncsv,{late}\ncsv,{early}\n")
    local.sql("COPY t FROM 'rows.csv' (HEADER)")
    local.load("t", "rows.csv")
    pq.write_table(pa.table({"way": ["parquet"] * 2, "at": [late, early]}), here / "rows.parquet")
    local.load("t", "rows.parquet")
    found = local.sql("SELECT way, at, count(*) FROM t GROUP BY 1, 2 ORDER BY 1, 2").rows()
    up, down = datetime(2024, 1, 1, 0, 0, 1), datetime(1990, 1, 1)
    assert found == [
        ("append", down, 1),
        ("append", up, 1),
        ("csv", down, 2),
        ("csv", up, 2),
        ("default", up, 1),
        ("insert", down, 1),
        ("insert", up, 1),
        ("parquet", down, 1),
        ("parquet", up, 1),
    ]


def test_files_are_tables_on_every_engine(db: Database, here: Path) -> None:
    (here / "items.csv").write_text(ITEMS)
    pq.write_table(
        pa.table({"Id": pa.array([1, 2], pa.int32()), "tag": ["x", "y"]}), here / "tags.parquet"
    )
    sql = "SELECT i.name, t.tag FROM 'items.csv' i JOIN 'tags.parquet' t USING (id) ORDER BY id"
    assert db.sql(sql).rows() == [("a, b", "x"), (None, "y")]
    bi = db.create_virtual_warehouse("bi", size=1, worker_cpus=0.5)
    found = bi.sql(sql)
    assert found.rows() == [("a, b", "x"), (None, "y")]
    assert found.stats.files_scanned == 2
    assert found.stats.rows_scanned == 5
    assert found.stats.bytes_fetched > 0
    assert db.sql("CREATE TABLE t (id bigint, tag text)").tag == "CREATE TABLE"
    assert db.sql("COPY t FROM 'tags.parquet'").tag == "COPY 2"
    (here / "ids.csv").write_text("tag,id\nz,9\n")
    assert db.sql("COPY t (tag, id) FROM 'ids.csv' (HEADER)").tag == "COPY 1"
    assert db.sql("COPY (SELECT * FROM t ORDER BY id) TO 'out.csv'").tag == "COPY 3"
    assert (here / "out.csv").read_text() == "1,x\n2,y\n9,z\n"
    assert db.load("t", "out.csv", header=False).rows == 3
    db.drop_virtual_warehouse("bi")


def test_csv_has_types_and_null_as_postgresql_has_it(local: Database, here: Path) -> None:
    (here / "items.csv").write_text(ITEMS)
    found = local.sql("SELECT * FROM 'items.csv'")
    assert found.rows() == [
        (1, "a, b", 1.5, date(2024, 1, 1), True, datetime(2024, 1, 1, 10)),
        (2, None, 2.0, date(2024, 1, 2), False, None),
        (3, "", 3.0, date(2024, 1, 3), None, datetime(2024, 1, 1)),
    ]
    columns = "columns => ARRAY['id smallint', 'price numeric(10, 2)']"
    found = local.sql(f"SELECT * FROM read_csv('items.csv', {columns}) WHERE id = 1")
    assert found.rows() == [(1, Decimal("1.50"))]
    assert found.arrow().schema.field("id").type == pa.int16()
    found = local.sql("SELECT * FROM read_csv('items.csv') AS t(ok text, id text) WHERE id = '1'")
    assert found.rows() == [("true", "1")]
    found = local.sql("SELECT column2 FROM read_csv('items.csv', header => false) LIMIT 1")
    assert found.rows() == [("name",)]
    (here / "other.txt").write_text("1;NA\n2;'x;y'\n")
    found = local.sql(
        "SELECT * FROM read_csv('other.txt', header => false, delim => ';', quote => '''',"
        " null => 'NA', columns => ARRAY['a integer', 'b'])"
    )
    assert found.columns == ["a", "b"]
    assert found.rows() == [(1, None), (2, "x;y")]


def test_ndjson_has_its_keys_as_columns(local: Database, here: Path) -> None:
    (here / "a.ndjson").write_text('{"a":1,"b":"x","c":{"k":[1]}}\n{"a":2.5,"d":true}\n')
    (here / "b.ndjson").write_text('{"b":"2024-01-01"}\n')
    found = local.sql("SELECT * FROM '*.ndjson'")
    assert found.columns == ["a", "b", "c", "d"]
    assert found.arrow().to_pydict() == {
        "a": [1.0, 2.5, None],
        "b": ["x", None, "2024-01-01"],
        "c": ['{"k":[1]}', None, None],
        "d": [None, True, None],
    }
    columns = "columns => ARRAY['a numeric(9, 1)']"
    found = local.sql(f"SELECT sum(a) FROM read_json('a.ndjson', {columns})")
    assert found.scalar() == Decimal("3.5")


def test_parquet_decimals_are_exact_and_names_fold(local: Database, here: Path) -> None:
    money = pa.array([Decimal("0.10")] * 3, pa.decimal128(15, 2))
    pq.write_table(pa.table({"Amount": money}), here / "a.parquet")
    pq.write_table(pa.table({"Amount": money}), here / "b.parquet")
    paths = "ARRAY['a.parquet', 'b.parquet']"
    found = local.sql(f"SELECT sum(amount), count(*) FROM read_parquet({paths})")
    assert found.rows() == [(Decimal("0.60"), 6)]
    plan = "\n".join(row[0] for row in local.sql("EXPLAIN SELECT amount FROM '*.parquet'").rows())
    assert "scan 2 parquet files" in plan
    assert str(here / "a.parquet") in plan
    assert "rows: 6" in plan


def test_what_is_wrong_with_files_is_named(local: Database, here: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), here / "a.parquet")
    pq.write_table(pa.table({"b": [1]}), here / "b.parquet")
    pq.write_table(pa.table({"a": ["x"]}), here / "c.parquet")
    pq.write_table(pa.table({"s": [{"k": 1}], "a": [1]}), here / "s.parquet")
    (here / "a.csv").write_text("a,b\n" + "1,x\n" * 400_000 + "oops,y\n")
    (here / "b.csv").write_text("a,c\n1,2\n")
    (here / "short.csv").write_text("a,b\n1,2\n3\n")
    (here / "a.txt").write_text("x")
    for sql, sqlstate, message in (
        ("SELECT * FROM 'none.parquet'", "58P01", "none.parquet: there is no such file"),
        ("SELECT * FROM '*.none'", "58P01", "no file matches"),
        ("SELECT * FROM 'a.txt'", "22023", "a.txt: its name does not tell its format"),
        ("SELECT * FROM '[ab].parquet'", "42804", 'b.parquet has no column "a", which'),
        ("SELECT * FROM '[ac].parquet'", "42804", 'column "a" is BIGINT in'),
        ("SELECT * FROM '[ab].csv'", "42804", 'b.csv has no column "b", which'),
        ("SELECT * FROM 's.parquet'", "0A000", "column s: no SQL type here holds struct"),
        ("SELECT a FROM read_csv('a.csv', hedaer => true)", "42883", "did you mean header"),
        ("SELECT * FROM read_csv('a.csv') WITH ORDINALITY", "0A000", "WITH ORDINALITY of read_csv"),
        ("SELECT sum(a) FROM 'a.csv'", "22P02", "a.csv, line 400002: column a: invalid input"),
        ("SELECT b FROM 'short.csv'", "22P04", 'short.csv, line 3: missing data for column "b"'),
        ("SELECT * FROM read_csv('a.csv', columns => 'z')", "42703", 'no column "z"'),
    ):
        with pytest.raises(InvalidRequest) as caught:
            local.sql(sql)
        assert caught.value.sqlstate == sqlstate, sql
        assert message in str(caught.value)
    assert local.sql("SELECT count(b) FROM 'a.csv'").scalar() == 400_001
    found = local.sql("SELECT * FROM read_parquet('s.parquet', columns => ARRAY['a'])")
    assert found.rows() == [(1,)]


def test_copy_from_fills_checks_and_commits_once(local: Database, here: Path) -> None:
    local.sql(
        "CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY, name varchar(5),"
        " amount numeric(10, 2) DEFAULT 7, ok boolean, CHECK (amount < 1000))"
    )
    (here / "all.csv").write_text('1,"a,b",1.255,t\n2,,2,no\n3,"",,\n')
    commit = local.sql("COPY t FROM 'all.csv'")
    assert commit.tag == "COPY 3"
    assert local.sql("SELECT * FROM t ORDER BY id").rows() == [
        (1, "a,b", Decimal("1.26"), True),
        (2, None, Decimal("2.00"), False),
        (3, "", None, None),
    ]
    (here / "names.csv").write_text("x\ny\n")
    local.sql("COPY t (name) FROM 'names.csv' WITH (FORMAT csv)")
    found = local.sql("SELECT id, amount FROM t WHERE name IN ('x', 'y') ORDER BY name")
    assert found.rows() == [(1, Decimal("7.00")), (2, Decimal("7.00"))]
    (here / "keys.ndjson").write_text('{"name":"j","amount":1.10}\n{"ok":true}\n')
    assert local.sql("COPY t FROM 'keys.ndjson'").tag == "COPY 2"
    assert local.sql("SELECT amount FROM t WHERE name = 'j'").scalar() == Decimal("1.10")
    (here / "empty.csv").write_text("")
    assert local.sql("COPY t FROM 'empty.csv'").tag == "COPY 0"
    before = local.sql("SELECT count(*) FROM t").scalar()
    for text, options, sqlstate, message in (
        ("1\nzz\n", "(amount)", "22P02", "bad.csv, line 2: column amount: invalid input syntax"),
        ("1\n2000\n", "(amount)", "23514", "bad.csv, line 2: new row for relation"),
        ("abc\nabcdefg\n", "(name)", "22001", "bad.csv, line 2"),
        ("1,2\n", "(amount)", "22P04", "line 1: extra data after last expected column"),
        ("amount\n1\n", "(amount)", "22P02", "if the first line holds names, say HEADER"),
    ):
        (here / "bad.csv").write_text(text)
        with pytest.raises(InvalidRequest) as caught:
            local.sql(f"COPY t {options} FROM 'bad.csv'")
        assert caught.value.sqlstate == sqlstate
        assert message in str(caught.value)
    assert local.sql("SELECT count(*) FROM t").scalar() == before


def test_copy_says_what_it_cannot_do(local: Database, here: Path) -> None:
    local.sql("CREATE TABLE t (a bigint, b text)")
    (here / "m.csv").write_text("b,a\nx,1\n")
    for sql, sqlstate in (
        ("COPY none FROM 'm.csv'", "42P01"),
        ("COPY t (z) FROM 'm.csv'", "42703"),
        ("COPY t (a, a) FROM 'm.csv'", "42701"),
        ("COPY t FROM 'm.csv' (FORMAT text)", "0A000"),
        ("COPY t FROM 'm.csv' (FORCE_NULL true)", "0A000"),
        ("COPY t FROM 'm.csv' (HEADR)", "42601"),
        ("COPY t FROM 'm.csv' WITH (HEADER) WHERE a > 1", "0A000"),
        ("COPY t FROM STDIN", "0A000"),
        ("COPY t FROM 'm.csv' (FORMAT parquet, DELIMITER ';')", "0A000"),
        ("COPY t FROM 'm.txt'", "22023"),
        ("COPY t FROM 'm.csv' (HEADER match)", "22P04"),
        ("COPY t TO 'o.csv' (HEADER match)", "22023"),
        ("COPY (SELECT 1 AS a, 2 AS a) TO 'o.parquet'", "42701"),
        ("COPY t TO 'no/o.csv'", "58P01"),
        ("COPY t TO '../db/log/x.csv'", "42501"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            local.sql(sql)
        assert caught.value.sqlstate == sqlstate, sql
    assert local.sql("COPY t (b, a) FROM 'm.csv' (HEADER match)").tag == "COPY 1"


def test_copy_to_writes_what_copy_from_reads(local: Database, here: Path) -> None:
    local.sql("CREATE TABLE t (a bigint, b text, c numeric(9, 2), d timestamp, e boolean)")
    local.sql(
        "INSERT INTO t VALUES (1, 'x\"y,', 1.5, '2024-01-01 10:00', true), (2, '', NULL, NULL,"
        " false), (NULL, NULL, -3, '2024-01-01 10:00:00.25', NULL)"
    )
    for name in ("o.csv", "o.csv.gz", "o.tsv", "o.ndjson", "o.parquet"):
        assert local.sql(f"COPY t TO '{name}'").tag == "COPY 3"
        local.sql("CREATE TABLE u (a bigint, b text, c numeric(9, 2), d timestamp, e boolean)")
        assert local.sql(f"COPY u FROM '{name}'").tag == "COPY 3"
        assert local.sql("SELECT * FROM u").rows() == local.sql("SELECT * FROM t").rows()
        local.sql("DROP TABLE u")
    with pytest.raises(InvalidRequest, match="division by zero"):
        local.sql("COPY (SELECT 1 / (a - 1) FROM t) TO 'failed.csv'")
    assert not list(here.glob("*failed*"))


def test_loads_take_csv_and_ndjson(local: Database, here: Path) -> None:
    local.sql("CREATE TABLE t (a bigint, b text)")
    (here / "x.csv").write_text("B,a\nx,1\n")
    (here / "y.csv").write_text("a,B\n2,y\n")
    assert local.load("t", ["x.csv", "y.csv"]).rows == 2
    (here / "z.dat").write_text("3|NA\n")
    options = {"header": False, "delimiter": "|", "null": "NA"}
    assert local.load("t", "z.dat", format="csv", **options).rows == 1  # type: ignore[arg-type]
    (here / "k.ndjson").write_text('{"a":4}\n')
    assert local.load("t", "k.ndjson").rows == 1
    assert local.sql("SELECT * FROM t ORDER BY a").rows() == [
        (1, "x"), (2, "y"), (3, None), (4, None),
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match=r"k\.ndjson are of different formats"):
        local.load("t", ["x.csv", "k.ndjson"])
    (here / "x.csv").write_text("a,c\n1,2\n")
    with pytest.raises(InvalidRequest, match=r"x\.csv: table t has no column 'c'"):
        local.load("t", "x.csv")
    with pytest.raises(InvalidRequest, match="delimiter is of CSV"):
        local.load("t", "k.ndjson", delimiter=";")


def test_files_are_looked_at_anew_by_every_query(local: Database, here: Path) -> None:
    for count in (1, 3):
        pq.write_table(pa.table({"a": list(range(count))}), here / "a.parquet")
        assert local.sql("SELECT count(*) FROM 'a.parquet'").scalar() == count
    with pytest.raises(UnknownObject):
        local.sql('SELECT * FROM "a.parquet"')


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as found:
        found.make_bucket("files")
        yield found


def test_files_on_s3(server: S3Server, tmp_path: Path) -> None:
    root = str(tmp_path / "db")
    with warehouse.connect(root, engine="local", store=server.options()) as db:
        db.sql("CREATE TABLE t (a bigint, b text)")
        db.sql("INSERT INTO t VALUES (1, 'x'), (2, NULL)")
        for name in ("o.parquet", "o.csv", "o.ndjson"):
            url = f"s3://files/{name.partition('.')[2]}/{name}"
            assert db.sql(f"COPY t TO '{url}'").tag == "COPY 2"
            db.sql("CREATE TABLE u (a bigint, b text)")
            assert db.sql(f"COPY u FROM '{url}'").tag == "COPY 2"
            assert db.sql("SELECT * FROM u").rows() == [(1, "x"), (2, None)]
            db.sql("DROP TABLE u")
        found = db.sql("SELECT sum(a) FROM 's3://files/parquet/*.parquet' WHERE a > 1")
        assert found.scalar() == 2
        found = db.sql("SELECT * FROM read_csv('s3://files/csv/*', header => false)")
        assert found.rows() == [(1, "x"), (2, None)]
