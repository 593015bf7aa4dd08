"""`mobula vacuum`: what goes, what would go, and what holds it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

import warehouse
from storage.collection.pins import Pin
from tests.unit.warehouse.cli.conftest import Mobula, is_empty

UNREAD = "no version within the retention reads it"


@pytest.fixture
def shop(root: str) -> str:
    """A table whose files were written anew, and so another past."""
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE orders (id BIGINT PRIMARY KEY, v BIGINT)")
        db.table("orders").insert(pl.DataFrame({"id": range(100), "v": [0] * 100}))
        db.sql("CALL mobula.flush('orders')")
        db.sql("DELETE FROM orders WHERE id = 8")
        db.sql("CALL mobula.compact('orders')")
    return root


def stored(root: str) -> dict[str, int]:
    """The sizes of objects by name."""
    place = Path(root)
    found = {str(p.relative_to(place)): p.stat().st_size for p in place.rglob("*") if p.is_file()}
    return {name: size for name, size in found.items() if not name.startswith(("tmp/", "epoch/"))}


def data(root: str) -> set[str]:
    return {name for name in stored(root) if name.startswith(("data/", "index/"))}


def rows_of(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)
    return found


def test_within_the_retention_no_file_goes(mobula: Mobula, shop: str) -> None:
    before = {name for name in data(shop) if name.startswith("data/")}
    assert len(before) == 2
    outcome = mobula("vacuum", shop)
    assert (outcome.status, outcome.stdout) == (0, "")
    assert UNREAD not in outcome.stderr
    assert outcome.stderr.splitlines()[-1].endswith(", were deleted")
    assert before <= data(shop)


def test_with_a_shorter_one_only_what_is_read_is_left(mobula: Mobula, shop: str) -> None:
    files = {name for name in data(shop) if name.startswith("data/")}
    outcome = mobula("vacuum", shop, "--retention", "0 days")
    assert re.search(rf"^1 objects, .*: {UNREAD}$", outcome.stderr, re.MULTILINE)
    assert len({name for name in data(shop) if name.startswith("data/")} & files) == 1
    assert mobula("sql", shop, "SELECT count(*) AS n FROM orders", "--format", "csv").stdout == (
        "n\n99\n"
    )
    again = mobula("vacuum", shop, "--retention", "0 days")
    assert UNREAD not in again.stderr


def test_a_dry_run_lists_what_then_goes_and_changes_nothing(mobula: Mobula, shop: str) -> None:
    with warehouse.connect(shop, engine="local") as db:
        lsn = db.snapshot().lsn
    before = stored(shop)
    outcome = mobula("vacuum", shop, "--dry-run", "--retention", "0 days", "--format", "json")
    seen = rows_of(outcome.stdout)
    assert {row["object"] for row in seen} <= set(before)
    after = stored(shop)
    fence = {name for name in after if name not in before}
    assert all(name.startswith("log/") for name in fence)  # of the primary that looked
    assert {name: after[name] for name in before} == before
    assert all(row["size_bytes"] == before[row["object"]] for row in seen)
    assert UNREAD in {row["reason"] for row in seen}
    assert outcome.stderr.splitlines()[-1] == (
        f"{len(seen)} objects, {_total(outcome.stderr)}, would be deleted"
    )
    mobula("vacuum", shop, "--retention", "0 days")
    gone = set(before) - set(stored(shop))
    assert {row["object"] for row in seen if row["object"].startswith("data/")} == {
        name for name in gone if name.startswith("data/")
    }
    assert lsn > 0


def _total(said: str) -> str:
    return said.splitlines()[-1].split(", ")[1]


def test_formats_of_a_dry_run(mobula: Mobula, shop: str) -> None:
    arguments = ("vacuum", shop, "--dry-run", "--retention", "0 days")
    rows = rows_of(mobula(*arguments, "--format", "json").stdout)
    assert [list(row) for row in rows] == [["object", "size_bytes", "reason"]] * len(rows)
    header, *lines = mobula(*arguments, "--format", "csv").stdout.splitlines()
    assert header == "object,size_bytes,reason"
    assert len(lines) == len(rows)
    table = mobula(*arguments).stdout
    for word in ("object", "size_bytes", "reason"):
        assert word in table


def test_without_a_dry_run_only_counts_are_told(mobula: Mobula, shop: str) -> None:
    outcome = mobula("vacuum", shop, "--retention", "0 days", "--format", "json")
    assert outcome.stdout == ""
    *reasons, total = outcome.stderr.splitlines()
    counts = [int(line.split(" objects")[0]) for line in reasons]
    assert counts == sorted(counts, reverse=True)
    assert int(total.split(" objects")[0]) == sum(counts) > 0


def test_uploads_that_were_given_up(mobula: Mobula, shop: str) -> None:
    name = next(name for name in data(shop) if name.startswith("data/"))
    lost = f"{name.rpartition('-')[0]}-{'0' * 32}.parquet"
    (Path(shop) / lost).write_bytes(b"x")
    assert lost not in mobula("vacuum", shop, "--dry-run", "--format", "json").stdout
    assert lost in data(shop)
    outcome = mobula("vacuum", shop, "--uploads", "0 seconds")
    assert "1 objects, 1 B: an upload that was not committed in time" in outcome.stderr
    assert lost not in data(shop)


def test_a_pin_is_told(mobula: Mobula, shop: str) -> None:
    pin = Pin(lsn=2, expires_ms=1 << 42, holder="a reader far away")
    (Path(shop) / "pin").mkdir(exist_ok=True)
    (Path(shop) / "pin" / "x").write_bytes(msgspec.json.encode(pin))
    files = {name for name in data(shop) if name.startswith("data/")}
    outcome = mobula("vacuum", shop, "--retention", "0 days")
    assert outcome.stderr.splitlines()[-1] == "held: pin/x: LSN 2, a reader far away"
    assert files <= data(shop)


@pytest.mark.parametrize(
    ("option", "value", "match"),
    [
        ("--retention", "-1 days", "mobula.vacuum: retention: '-1 days' is negative"),
        ("--retention", "soon", "interval"),
        ("--uploads", "-1 days", "mobula.vacuum: age of uploads: '-1 days' is negative"),
    ],
)
def test_values_that_are_wrong(
    mobula: Mobula, shop: str, option: str, value: str, match: str
) -> None:
    before = data(shop)
    assert match in mobula("vacuum", shop, f"{option}={value}").error
    assert data(shop) == before


def test_where_no_database_is_none_is_made(mobula: Mobula, root: str) -> None:
    assert "is no Mobula database" in mobula("vacuum", root).error
    assert is_empty(root)
