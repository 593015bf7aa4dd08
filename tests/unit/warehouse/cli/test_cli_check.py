"""`mobula check`: exit status, what is shown, and what it repairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
import xxhash
from rich.console import Console

import warehouse
from actors.local_engine import LocalEngine
from actors.messages import Transaction
from actors.operations import ExchangeRuns
from storage.primary_key import open_run
from storage.scrub import Finding, Progress
from tests.unit.warehouse.cli.conftest import Mobula, is_empty
from warehouse.cli import check as command

COLUMNS = ["severity", "part", "object", "table", "expected", "found", "next_step"]


@pytest.fixture
def shop(root: str) -> str:
    """A database with keys, files, index runs, deltas and a checkpoint."""
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE orders (id BIGINT PRIMARY KEY, code TEXT UNIQUE)")
        frame = pl.DataFrame({"id": range(50), "code": [f"c{n}" for n in range(50)]})
        db.table("orders").append(frame)
        db.sql("CALL mobula.flush()")
        db.sql('CREATE SCHEMA "My"')
        db.sql("""CREATE TABLE "My"."T's" (k INT PRIMARY KEY)""")
        db.sql("""INSERT INTO "My"."T's" VALUES (1), (2)""")
        db.sql("CALL mobula.flush()")
        db.sql("CALL mobula.checkpoint()")
        db.sql("UPDATE orders SET code = 'x' WHERE id = 7")
    return root


def files(root: str, place: str) -> list[Path]:
    found = sorted(path for path in (Path(root) / place).rglob("*") if path.is_file())
    assert found
    return found


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    replace(path, bytes(data))


def replace(path: Path, data: bytes) -> None:
    """By another file: an object that is open somewhere is never changed in place."""
    path.unlink()
    path.write_bytes(data)


def name_of(root: str, path: Path) -> str:
    return path.relative_to(root).as_posix()


def found(output: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(output)
    assert all(list(row) == COLUMNS for row in rows)
    return rows


def test_a_database_that_is_well(mobula: Mobula, shop: str) -> None:
    outcome = mobula("check", shop)
    assert (outcome.status, outcome.stdout) == (0, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("nothing is damaged: checked ")
    objects = [name for path in files(shop, "") if (name := name_of(shop, path))[:4] != "tmp/"]
    assert f"checked {len(objects)} objects, " in line
    assert "2 tables, 52 rows at LSN " in line
    for output in ("json", "csv"):
        outcome = mobula("check", shop, "--format", output)
        assert outcome.status == 0
        expected = "[\n]\n" if output == "json" else ",".join(COLUMNS) + "\n"
        assert outcome.stdout == expected


@pytest.mark.parametrize("place", ["data", "index", "log", "checkpoint"])
def test_damage_is_named_and_is_exit_status_1(mobula: Mobula, shop: str, place: str) -> None:
    path = files(shop, place)[0]
    spoil(path)
    outcome = mobula("check", shop, "--format", "json")
    assert outcome.status == 1
    (row,) = found(outcome.stdout)
    assert (row["severity"], row["object"]) == ("damage", name_of(shop, path))
    assert row["expected"]
    assert row["found"]
    assert row["next_step"]
    assert "DAMAGED: checked" in outcome.stderr
    assert outcome.stderr.splitlines()[-1].count("1 damage") == 1


def test_a_table_never_cuts_the_name(mobula: Mobula, shop: str) -> None:
    path = files(shop, "data")[0]
    spoil(path)
    outcome = mobula("check", shop)
    assert outcome.status == 1
    assert name_of(shop, path) in outcome.stdout
    assert "next step" in outcome.stdout
    csv = mobula("check", shop, "--format", "csv").stdout.splitlines()
    assert csv[0] == ",".join(COLUMNS)
    assert csv[1].startswith(f"damage,data,{name_of(shop, path)},")


def test_damage_comes_before_notes(mobula: Mobula, shop: str) -> None:
    (Path(shop) / "a stranger").write_bytes(b"")
    path = files(shop, "index")[0]
    spoil(path)
    rows = found(mobula("check", shop, "--format", "json").stdout)
    assert [(row["severity"], row["object"]) for row in rows] == [
        ("damage", name_of(shop, path)),
        ("note", "a stranger"),
    ]


def test_a_note_is_no_failure(mobula: Mobula, shop: str) -> None:
    (Path(shop) / "a stranger").write_bytes(b"")
    outcome = mobula("check", shop)
    assert outcome.status == 0
    assert "1 note" in outcome.stderr
    assert "a stranger" in outcome.stdout


def test_unreferenced_objects_are_counted(mobula: Mobula, shop: str) -> None:
    (Path(shop) / "data" / "left-behind").write_bytes(b"12345")
    outcome = mobula("check", shop)
    assert outcome.status == 0
    assert "1 objects (5 B) that no version names" in outcome.stderr


def test_a_log_that_cannot_be_followed_is_said(mobula: Mobula, shop: str) -> None:
    with warehouse.connect(shop, engine="local", create=False) as db:
        db.sql("INSERT INTO orders VALUES (100, 'a')")
    paths = files(shop, "log")
    replace(paths[-2], b"")
    outcome = mobula("check", shop)
    assert outcome.status == 1
    assert f"(the log goes on to {len(paths)}, but cannot be followed)" in outcome.stderr


def test_no_database_is_one_line(mobula: Mobula, root: str) -> None:
    assert "is no Mobula database" in mobula("check", root).error
    assert is_empty(root)
    assert "expected s3://bucket/prefix" in mobula("check", "s3://").error


def test_a_newer_format_is_refused(mobula: Mobula, shop: str) -> None:
    path = Path(shop) / "format"
    replace(path, json.dumps({**json.loads(path.read_bytes()), "mobula": 99}).encode())
    assert "format version 99" in mobula("check", shop).error


def test_a_lost_format_is_a_finding(mobula: Mobula, shop: str) -> None:
    path = Path(shop) / "format"
    whole = path.read_bytes()
    path.unlink()
    outcome = mobula("check", shop, "--format", "json")
    assert outcome.status == 1
    (row,) = found(outcome.stdout)
    assert row["object"] == "format"
    path.write_bytes(row["next_step"].partition("these bytes: ")[2].encode())
    assert path.read_bytes() == whole
    assert mobula("check", shop).status == 0


def test_it_takes_no_lease_and_writes_nothing(mobula: Mobula, shop: str) -> None:
    """A primary is alive meanwhile, and goes on."""
    with warehouse.connect(shop, engine="local", create=False) as db:
        db.sql("INSERT INTO orders VALUES (100, 'a')")
        before = {path: path.stat().st_mtime_ns for path in files(shop, "")}
        assert mobula("check", shop).status == 0
        after = {path: path.stat().st_mtime_ns for path in files(shop, "")}
        assert {p: t for p, t in after.items() if p.name != "alive"} == {
            p: t for p, t in before.items() if p.name != "alive"
        }
        db.sql("INSERT INTO orders VALUES (101, 'b')")
        assert db.sql("SELECT count(*) FROM orders").scalar() == 52


# --- repair ---------------------------------------------------------------------------------------


def test_nothing_to_repair(mobula: Mobula, shop: str) -> None:
    before = files(shop, "log")
    outcome = mobula("check", shop, "--repair-index")
    assert outcome.status == 0
    assert "no index needs to be made anew" in outcome.stderr
    assert files(shop, "log") == before


@pytest.mark.parametrize("damage", ["lost", "spoiled", "another's"])
def test_lost_and_damaged_indexes_are_made_anew(mobula: Mobula, shop: str, damage: str) -> None:
    paths = files(shop, "index")
    for path in paths:
        if damage == "lost":
            path.unlink()
        elif damage == "spoiled":
            spoil(path)
    if damage == "another's":
        bytes_of = [path.read_bytes() for path in paths]
        for path, data in zip(paths, bytes_of[1:] + bytes_of[:1], strict=True):
            replace(path, data)
    assert mobula("check", shop).status == 1
    outcome = mobula("check", shop, "--repair-index", "--format", "json")
    assert outcome.status == 0, outcome.stderr
    assert found(outcome.stdout) == []
    assert '"public"."orders": REPAIR INDEX 2' in outcome.stderr
    assert '"My"."T\'s": REPAIR INDEX 1' in outcome.stderr
    assert mobula("check", shop).status == 0
    with warehouse.connect(shop, engine="local", create=False) as db:
        assert db.table("orders").get([7]).rows() == [(7, "x")]
        with pytest.raises(warehouse.InvalidRequest, match="duplicate key"):
            db.sql("INSERT INTO orders VALUES (8, 'new')")


def test_an_index_that_is_wrong_is_made_anew(mobula: Mobula, shop: str) -> None:
    """Its entries lead to other rows; every checksum is right, that of the catalogue too."""
    wrong = _mislead(shop)
    rows = found(mobula("check", shop, "--format", "json").stdout)
    assert {row["object"] for row in rows} == {wrong}
    assert {row["part"] for row in rows} == {"index"}
    outcome = mobula("check", shop, "--repair-index")
    assert outcome.status == 0, outcome.stderr + outcome.stdout
    assert mobula("check", shop).status == 0
    with warehouse.connect(shop, engine="local", create=False) as db:
        db.table("orders").upsert(pl.DataFrame({"id": [3], "code": ["z"]}))
        assert db.sql("SELECT count(*) FROM orders").scalar() == 50


def _mislead(root: str) -> str:
    """Exchange the run of the primary key of `orders` by one that leads to neighbours' rows, all
    in one group that the primary commits."""
    with warehouse.connect(root, engine="local", create=False) as db:
        engine = db._engine
        assert isinstance(engine, LocalEngine)
        primary = engine._writer()._primary
        table = primary.snapshot.find_table("orders")
        assert table is not None
        run = next(run for run in table.index_runs if run.key_id == table.keys[0].id)
        path = Path(root) / run.name
        data = bytearray(path.read_bytes())
        count = len(open_run(path).entries)
        words = np.frombuffer(data, "<u8", 2 * count, 16)
        words[1::2] ^= np.uint64(1)
        made = msgspec.structs.replace(
            run,
            name="index/main-9-wrong.run",
            checksum=xxhash.xxh3_128_hexdigest(bytes(data)),
            size_bytes=len(data),
        )
        target = Path(root) / made.name
        target.write_bytes(bytes(data))
        opened = open_run(target, made.name, first_file_id=run.first_file_id)
        operation = ExchangeRuns(
            table_id=table.id, key_id=run.key_id, gone=(run.name,), made=(made, opened)
        )
        engine._loop.run(primary.submit(Transaction(operations=(operation,))))
    return made.name


def test_what_cannot_be_repaired_is_shown(mobula: Mobula, shop: str) -> None:
    """The index is lost and so is a file: an error says so, and the findings come all the same."""
    for path in files(shop, "index"):
        path.unlink()
    path = files(shop, "data")[0]
    replace(path, b"")
    outcome = mobula("check", shop, "--repair-index", "--format", "json")
    assert outcome.status == 1
    assert name_of(shop, path) in {row["object"] for row in found(outcome.stdout)}
    assert "error: " in outcome.stderr


def test_repair_needs_a_database_that_opens(mobula: Mobula, shop: str) -> None:
    for path in files(shop, "index"):
        path.unlink()
    replace(files(shop, "log")[-1], b"")
    outcome = mobula("check", shop, "--repair-index", "--format", "json")
    assert outcome.status == 1
    assert {row["part"] for row in found(outcome.stdout)} == {"index", "log"}
    assert "error: " in outcome.stderr


def test_call_repairs_one_table_or_all(shop: str) -> None:
    with warehouse.connect(shop, engine="local", create=False) as db:
        assert db.sql("CALL mobula.repair_index()").tag == "REPAIR INDEX 3"
        assert db.sql("CALL mobula.repair_index('orders')").tag == "REPAIR INDEX 2"
        with pytest.raises(warehouse.UnknownObject, match="does not exist"):
            db.sql("CALL mobula.repair_index('nothing')")
        with pytest.raises(warehouse.InvalidRequest, match="it is called as"):
            db.sql("CALL mobula.repair_index('orders', 'orders')")
        db.sql("CREATE TABLE plain (n INT)")
        assert db.sql("CALL mobula.repair_index('plain')").tag == "REPAIR INDEX 0"


# --- the bar --------------------------------------------------------------------------------------


class _Bar:
    """What the bar is told."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []

    def update(self, task: int, **fields: Any) -> None:
        self.updates.append(fields)


def test_the_bar_moves_with_bytes_and_parts() -> None:
    bar, findings = _Bar(), list[Finding]()
    drawn = command._Drawn(bar, 0, findings)  # type: ignore[arg-type]
    total = {"objects_total": 9, "bytes_total": 5 << 20}
    drawn.report(Progress(doing="log", objects=1, size_bytes=10, **total))
    drawn.report(Progress(doing="log", objects=2, size_bytes=20, **total))
    drawn.report(Progress(doing="log", objects=3, size_bytes=2 << 20, **total))
    drawn.report(Progress(doing="public.t", objects=4, size_bytes=3 << 20, **total))
    assert [(u["description"], u["objects"]) for u in bar.updates] == [
        ("log", "1 of 9 objects"),
        ("log", "3 of 9 objects"),
        ("public.t", "4 of 9 objects"),
    ]
    assert [u["completed"] for u in bar.updates] == [10, 2 << 20, 3 << 20]


@pytest.mark.parametrize("quiet", [True, False])
def test_a_bar_is_drawn_at_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    for terminal in (False, True):
        monkeypatch.setattr(
            command,
            "Console",
            lambda terminal=terminal, **_: Console(stderr=True, force_terminal=terminal),
        )
        with command._bar([], quiet) as report:
            report(Progress(doing="log", objects=1, size_bytes=1, bytes_total=2, objects_total=2))
        assert bool(capsys.readouterr().err) == (terminal and not quiet)
