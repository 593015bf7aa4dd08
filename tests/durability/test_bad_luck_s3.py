"""Credentials that expire, a bucket that is deleted, objects that are replaced by rubbish, all of
that under a database that runs.

What shall hold: errors are of our tree, name the object and say what to do; writes fail quickly;
readers go on with their snapshot; and when the trouble is over nothing acknowledged is lost.
"""

from __future__ import annotations

import gc
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import polars as pl
import pytest

import warehouse
from storage.errors import CorruptData, Fenced, InvalidRequest, MobulaError, Unavailable
from storage.names import checkpoint_lsn, log_name, owner_name
from tests.durability.proxy import Fault, Plan, Proxy, Request, no_faults, running_proxy
from tests.s3_server import S3Server, moto_server
from warehouse import Commit, Database, IngestToken, Settings

T = TypeVar("T")

SETTINGS = Settings(lease_ms=500, poll_ms=50, rows_inline_bytes_max=1 << 10)
ROWS = 5_000
QUERY = "SELECT count(*), sum(v) FROM t"
EXPECTED = [(ROWS + 1, sum(range(ROWS)) - 1)]
QUICK_S = 15.0  # attempts go on for 30 s by default
NEXT_STEP = "restore|remove|retry|repeat|connect again|check key|make bucket"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as found:
        yield found


class Trial:
    """A database on S3 that a primary and a virtual warehouse serve, behind a proxy."""

    def __init__(self, server: S3Server, proxy: Proxy) -> None:
        self.server = server
        self.proxy = proxy
        self.bucket = f"trial-{uuid4().hex}"
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            aws_access_key_id=server.key,
            aws_secret_access_key=server.secret,
            region_name=server.region,
        )
        self.s3.create_bucket(Bucket=self.bucket)
        self.opened: list[Database] = []
        self.db = self.connect()
        self.db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
        self.db.sql("CREATE TABLE u (k BIGINT)")
        self.db.table("t").upsert(rows(range(ROWS)))
        self.db.table("t").upsert(rows([-1]))
        self.vw = self.db.create_virtual_warehouse("bi", size=1)
        assert self.vw.sql(QUERY).rows() == self.db.sql(QUERY).rows() == EXPECTED

    def connect(self) -> Database:
        """Another connection, closed at the end."""
        options = replace(
            self.server.options(retry_budget_ms=500),
            endpoint_url=self.proxy.url,
            read_timeout_ms=2_000,
        )
        root = f"s3://{self.bucket}/root"
        found = warehouse.connect(root, engine="local", store=options, settings=SETTINGS)
        self.opened.append(found)
        return found

    def disconnect(self) -> None:
        """Close the connection that has the primary."""
        self.opened.remove(self.db)
        self.db.close()

    def next_lsn(self) -> int:
        """The slot that the next commit takes."""
        found: int = self.db.status()["lsn"]
        return found + 1

    def names(self, prefix: str) -> list[str]:
        """Objects whose names start so."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"root/{prefix}")
        return [entry["Key"].removeprefix("root/") for entry in found.get("Contents", ())]

    def get(self, name: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=f"root/{name}")["Body"].read()
        return body

    def put(self, name: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=f"root/{name}", Body=data)

    def delete_bucket(self) -> None:
        """With all that is in it, also what is put there meanwhile."""
        while True:
            for name in self.names(""):
                self.s3.delete_object(Bucket=self.bucket, Key=f"root/{name}")
            try:
                self.s3.delete_bucket(Bucket=self.bucket)
            except self.s3.exceptions.ClientError:
                continue
            return

    def close(self) -> None:
        self.proxy.plan = no_faults
        if self.bucket not in {found["Name"] for found in self.s3.list_buckets()["Buckets"]}:
            self.s3.create_bucket(Bucket=self.bucket)  # else it is waited for
        for database in self.opened:
            database.close()
        self.s3.close()


@pytest.fixture
def trial(server: S3Server) -> Iterator[Trial]:
    with running_proxy(server.endpoint_url) as proxy:
        found = Trial(server, proxy)
        yield found
        found.close()
    gc.collect()


def rows(keys: Any) -> pl.DataFrame:
    frame = pl.DataFrame({"k": list(keys)}, schema={"k": pl.Int64})
    return frame.with_columns(v=pl.col("k"))


def append(db: Database, *keys: int, token: IngestToken | None = None) -> Commit:
    return db.table("u").append(rows(keys).select("k"), token=token)


def read_and_write(db: Database) -> None:
    db.sql(QUERY)
    append(db, 1)


def quickly(call: Callable[[], T]) -> T:
    """What it gives or raises. That it takes long is wrong; then it is left behind."""
    found: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            found.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(QUICK_S)
    if thread.is_alive():
        pytest.fail(f"no answer in {QUICK_S:.0f} s")
    if errors:
        raise errors[0]
    return found[0]


def expired(request: Request) -> Fault | None:
    return Fault.EXPIRED


def expired_until(method: str) -> tuple[Plan, Callable[[], None]]:
    """Credentials that come back with the next request of a method, once the second is called."""
    state = {"returning": False, "back": False}

    def plan(request: Request) -> Fault | None:
        state["back"] |= state["returning"] and request.method == method
        return None if state["back"] else Fault.EXPIRED

    return plan, lambda: state.update(returning=True)


def until_known(write: Callable[[], Commit]) -> Commit:
    while True:
        try:
            return write()
        except Unavailable:
            continue


TOKEN = IngestToken(writer="trial", sequence=1)


# --- credentials ----------------------------------------------------------------------------------


def test_with_expired_credentials_writes_fail_quickly_and_the_primary_answers_reads(
    trial: Trial,
) -> None:
    trial.proxy.plan = expired
    name = log_name(trial.next_lsn())
    with pytest.raises(MobulaError, match=f"{name}.*ExpiredToken.*check key, secret and token"):
        quickly(lambda: append(trial.db, 1))
    with pytest.raises(InvalidRequest, match=r"data/.*ExpiredToken.*check key, secret and token"):
        quickly(lambda: append(trial.db, *range(ROWS)))
    assert quickly(lambda: trial.db.sql(QUERY).rows()) == EXPECTED


def test_with_expired_credentials_further_writes_fail_quickly_too(trial: Trial) -> None:
    trial.proxy.plan = expired
    with pytest.raises(MobulaError):
        quickly(lambda: append(trial.db, 1))
    for _ in range(3):
        with pytest.raises(MobulaError, match="ExpiredToken"):
            quickly(lambda: append(trial.db, 2))


def test_with_expired_credentials_the_server_is_left_in_peace(trial: Trial) -> None:
    trial.proxy.plan = expired
    with pytest.raises(MobulaError):
        quickly(lambda: append(trial.db, 1))
    before = trial.proxy.counts["requests"]
    threading.Event().wait(1.0)  # a rate is counted
    assert trial.proxy.counts["requests"] - before < 40


def test_with_expired_credentials_virtual_warehouses_answer_from_their_snapshot(
    trial: Trial,
) -> None:
    trial.proxy.plan = expired
    threading.Event().wait(3 * SETTINGS.poll_ms / 1000)
    assert quickly(lambda: trial.vw.sql(QUERY).rows()) == EXPECTED


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_when_credentials_are_back_writes_go_on_and_each_happens_once(
    trial: Trial, method: str
) -> None:
    """Args: method: whether they are back for the next attempt, or for its reading back."""
    append(trial.db, 1)
    plan, come_back = expired_until(method)
    trial.proxy.plan = plan
    with pytest.raises(MobulaError):
        quickly(lambda: append(trial.db, 2, token=TOKEN))
    come_back()
    quickly(lambda: until_known(lambda: append(trial.db, 2, token=TOKEN)))
    last = quickly(lambda: append(trial.db, 3))
    expected = [(1,), (2,), (3,)]
    query = "SELECT k FROM u ORDER BY k"
    assert trial.db.sql(query).rows() == expected
    assert trial.vw.sql(query, min_lsn=last.lsn).rows() == expected
    assert trial.connect().sql(query).rows() == expected


# --- the bucket -----------------------------------------------------------------------------------


def test_without_its_bucket_a_write_fails_quickly_and_the_primary_answers_what_it_has(
    trial: Trial,
) -> None:
    trial.delete_bucket()
    name = log_name(trial.next_lsn())
    with pytest.raises(MobulaError, match=f"{name}.*NoSuchBucket.*make bucket '{trial.bucket}'"):
        quickly(lambda: append(trial.db, 1))
    assert quickly(lambda: trial.db.sql(QUERY).rows()) == EXPECTED


def test_in_a_bucket_that_was_made_anew_nothing_is_acknowledged(trial: Trial) -> None:
    trial.delete_bucket()
    with pytest.raises(MobulaError):
        quickly(lambda: append(trial.db, 1, token=TOKEN))
    trial.proxy.plan = lambda request: Fault.DROP
    trial.s3.create_bucket(Bucket=trial.bucket)
    trial.proxy.plan = no_faults
    with pytest.raises(MobulaError):
        quickly(lambda: until_known(lambda: append(trial.db, 1, token=TOKEN)))


def test_a_page_that_is_no_list_of_s3_is_no_proof_that_nothing_is_there(trial: Trial) -> None:
    trial.proxy.plan = lambda request: Fault.STRANGER if "list-type" in request.target else None
    with pytest.raises(Unavailable, match=r"list objects 'checkpoint/'.*no list of S3's.*retry"):
        quickly(lambda: trial.connect().sql(QUERY))


# --- rubbish --------------------------------------------------------------------------------------

HOW: list[bytes | str] = [b"", b"rubbish", b"<html>" + b"x" * 10_000, "half", "flipped"]


def spoiled(trial: Trial, name: str, how: bytes | str = b"rubbish") -> bytes:
    """Replace an object; what it was."""
    good = trial.get(name)
    if isinstance(how, bytes):
        trial.put(name, how)
    elif how == "half":
        trial.put(name, good[: len(good) // 2])
    else:
        trial.put(name, good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
    return good


def test_a_spoiled_log_object_is_named_and_who_has_read_it_goes_on(trial: Trial) -> None:
    name = log_name(3)
    for how in HOW:
        good = spoiled(trial, name, how)
        with pytest.raises(CorruptData, match=name):
            quickly(lambda: trial.connect().sql(QUERY))
        with pytest.raises(CorruptData, match=name):
            quickly(lambda: trial.db.sql("SELECT count(*) FROM t AS OF LSN 5"))
        last = append(trial.db, 1)
        assert trial.vw.sql(QUERY, min_lsn=last.lsn).rows() == EXPECTED
        assert trial.db.sql(QUERY).rows() == EXPECTED
        trial.put(name, good)
    assert trial.connect().sql("SELECT k FROM u").rows() == [(1,)] * len(HOW)


def test_over_a_spoiled_log_nobody_becomes_the_primary(trial: Trial) -> None:
    append(trial.db, 1)
    trial.disconnect()
    name = log_name(3)
    good = spoiled(trial, name)
    db = trial.connect()
    for _ in range(2):
        with pytest.raises(CorruptData, match=name):
            quickly(lambda: append(db, 2))
    trial.put(name, good)
    append(db, 3)
    assert db.sql("SELECT k FROM u ORDER BY k").rows() == [(1,), (3,)]


def test_rubbish_in_the_next_slot_stops_the_primary_for_good(trial: Trial) -> None:
    append(trial.db, 1)
    name = log_name(trial.next_lsn())
    trial.put(name, b"rubbish")
    with pytest.raises(Fenced, match=f"{name}.*did not write.*stopped writing"):
        quickly(lambda: append(trial.db, 2))
    for again in (lambda: append(trial.db, 2), lambda: trial.db.sql(QUERY)):
        with pytest.raises(CorruptData, match=name):  # nobody can open the log any more
            quickly(again)
    trial.disconnect()
    trial.s3.delete_object(Bucket=trial.bucket, Key=f"root/{name}")
    db = trial.connect()
    append(db, 3)
    assert db.sql("SELECT k FROM u ORDER BY k").rows() == [(1,), (3,)]


def test_rubbish_in_the_next_slot_leaves_readers_their_snapshot(trial: Trial) -> None:
    trial.put(log_name(trial.next_lsn()), b"rubbish")
    threading.Event().wait(3 * SETTINGS.poll_ms / 1000)
    assert quickly(lambda: trial.vw.sql(QUERY).rows()) == EXPECTED


def test_a_spoiled_checkpoint_is_passed_over(trial: Trial) -> None:
    trial.db.sql("CALL mobula.checkpoint()")
    append(trial.db, 1)
    parts = trial.names("checkpoint/")
    assert {checkpoint_lsn(name) for name in parts} == {trial.next_lsn() - 2}
    for how, name in zip(HOW, itertools.cycle(parts), strict=False):
        good = spoiled(trial, name, how)
        assert trial.connect().sql(QUERY).rows() == EXPECTED
        trial.put(name, good)


def test_a_spoiled_micropartition_is_named_and_nothing_else_suffers(trial: Trial) -> None:
    append(trial.db, 1)
    [name] = trial.names("data/")
    for how in HOW:
        good = spoiled(trial, name, how)
        db = trial.connect()
        with pytest.raises(CorruptData, match=name):
            quickly(partial(db.sql, QUERY))
        assert db.sql("SELECT k FROM u").rows() == [(1,)]
        assert trial.vw.sql(QUERY).rows() == trial.db.sql(QUERY).rows() == EXPECTED  # cached
        trial.db.table("t").upsert(rows([-1, 0]))
        trial.put(name, good)
        assert db.sql(QUERY).rows() == EXPECTED


def test_spoiled_runs_of_an_index_are_made_anew(trial: Trial) -> None:
    trial.disconnect()
    for name in trial.names("index/"):
        spoiled(trial, name)
    db = trial.connect()
    db.table("t").upsert(rows([-1, 0, 1]))
    assert db.sql(QUERY).rows() == EXPECTED


def test_a_spoiled_beginning_is_named(trial: Trial) -> None:
    trial.disconnect()
    for name in ("format", owner_name(1)):
        good = spoiled(trial, name)
        with pytest.raises(CorruptData, match=name):
            quickly(lambda: append(trial.connect(), 1))
        trial.put(name, good)


def test_errors_about_spoiled_objects_say_what_to_do(trial: Trial) -> None:
    trial.disconnect()
    told = []
    for name in (*trial.names("data/"), log_name(3), "format", owner_name(1)):
        good = spoiled(trial, name)
        with pytest.raises(CorruptData, match=name) as caught:
            quickly(lambda: read_and_write(trial.connect()))
        told.append(str(caught.value))
        trial.put(name, good)
    assert [text for text in told if not re.search(NEXT_STEP, text)] == []
