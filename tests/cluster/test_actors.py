"""Primary and virtual warehouses as real processes: found by others, killed, recovered."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import ray

import warehouse
from actors import spawn
from tests.ray_cluster import RayCluster
from tests.s3_server import S3Server, moto_server
from warehouse import Database, Fenced, InvalidRequest, UnknownObject, VirtualWarehouse

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

REPOSITORY = Path(__file__).parents[2]
CLIENT = """
import json, sys
import ray, warehouse
ray.init(address="auto", log_to_driver=False)
db = warehouse.connect(sys.argv[1])
db.sql("INSERT INTO numbers VALUES (1000)")
bi = db.virtual_warehouse("bi")
count = bi.sql("SELECT count(*) FROM numbers", min_lsn=db.snapshot().lsn).scalar()
print(json.dumps({"primary": db.status()["pid"], "bi": bi.status()["pid"], "count": count}))
"""


def numbers(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"n": values}, schema={"n": pl.Int64})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database, since starting its processes takes seconds: who kills them waits for others."""
    database = warehouse.connect(str(tmp_path_factory.mktemp("shared") / "db"))
    database.create_virtual_warehouse("bi", size=2, worker_cpus=0.2)
    yield database
    database.shutdown()


@pytest.fixture
def db(shared: Database) -> Database:
    """With a new table, that the virtual warehouse knows."""
    shared.sql("DROP TABLE IF EXISTS numbers")
    created = shared.sql("CREATE TABLE numbers (n BIGINT NOT NULL)").commit
    assert created is not None
    shared.virtual_warehouse("bi").sql("SELECT 1", min_lsn=created.lsn)
    return shared


@pytest.fixture
def bi(db: Database) -> VirtualWarehouse:
    return db.virtual_warehouse("bi")


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_second_client_finds_the_same_processes(
    db: Database, bi: VirtualWarehouse, ray_cluster: RayCluster
) -> None:
    db.table("numbers").append(numbers(1, 2, 3))
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, db.root],
        cwd=REPOSITORY,
        env=ray_cluster.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"primary": db.status()["pid"], "bi": bi.status()["pid"], "count": 4}


def test_killed_primary_recovers_and_loses_nothing(db: Database, bi: VirtualWarehouse) -> None:
    """A writer goes on through kills at random moments; every acknowledged batch is there once."""
    seed = 20261120
    sys.stdout.write(f"seed {seed}\n")
    source = random.Random(seed)
    acknowledged: list[int] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def write() -> None:
        try:
            number = 0
            while not stop.is_set():
                db.table("numbers").append(numbers(*range(number * 10, number * 10 + 10)))
                acknowledged.append(number)
                number += 1
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    first = db.status()["epoch"]
    epochs = []
    try:
        for _ in range(3):
            reached = len(acknowledged) + source.randrange(1, 30)
            while len(acknowledged) < reached and not failures:
                stop.wait(0.01)
            status = db.status()
            epochs.append(status["epoch"])
            kill(status["pid"])
        reached = len(acknowledged) + 5
        while len(acknowledged) < reached and not failures:
            stop.wait(0.01)
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert epochs == [first, first + 1, first + 2]
    lsn = db.snapshot().lsn
    found = bi.sql("SELECT n FROM numbers ORDER BY n", min_lsn=lsn).polars()["n"].to_list()
    assert found == list(range(len(acknowledged) * 10))


def test_virtual_warehouse_answers_while_the_primary_is_down(
    db: Database, bi: VirtualWarehouse
) -> None:
    commit = db.table("numbers").append(numbers(1, 2, 3))
    epoch = db.status()["epoch"]
    ray.kill(spawn.find_primary(db._node), no_restart=True)
    assert bi.sql("SELECT sum(n) FROM numbers", min_lsn=commit.lsn).scalar() == 6
    assert db.status() == {}
    assert db.table("numbers").append(numbers(4)).lsn > commit.lsn  # a new one was started
    assert db.status()["epoch"] == epoch + 1


def test_results_that_fit_no_channel_arrive_whole(db: Database, bi: VirtualWarehouse) -> None:
    query = "SELECT x FROM generate_series(1, 50000) AS g (x) ORDER BY x"
    for target in (bi, db):
        assert target.sql(query).polars()["x"].to_list() == list(range(1, 50_001))


def test_killed_coordinator_comes_back_with_its_workers(db: Database, bi: VirtualWarehouse) -> None:
    db.table("numbers").append(numbers(1, 2, 3))
    before = bi.status()
    kill(before["pid"])
    assert bi.sql("SELECT count(*) FROM numbers", min_lsn=db.snapshot().lsn).scalar() == 3
    after = bi.status()
    assert after["pid"] != before["pid"]
    assert after["workers"] == 2


def test_lost_worker_is_replaced_and_its_query_repeated(db: Database, bi: VirtualWarehouse) -> None:
    db.table("numbers").append(numbers(*range(1000)))
    lsn = db.snapshot().lsn
    assert bi.sql("SELECT count(*) FROM numbers", min_lsn=lsn).scalar() == 1000
    before = workers(bi)
    assert len(before) == 2
    for pid in before:
        kill(pid)
    for _ in range(4):
        assert bi.sql("SELECT count(*) FROM numbers").scalar() == 1000
    assert not set(before) & set(workers(bi))


def workers(bi: VirtualWarehouse) -> list[int]:
    """Process ids of its workers."""
    return [int(pid) for pid in bi.status()["worker_pids"]]


def test_pushes_reach_the_virtual_warehouse(tmp_path: Path) -> None:
    """Nobody asks it, and it looks by itself only once an hour: a push is what makes it follow."""
    rarely = warehouse.Settings(poll_ms=3_600_000)
    database = warehouse.connect(str(tmp_path / "db"), settings=rarely)
    try:
        database.sql("CREATE TABLE numbers (n BIGINT NOT NULL)")
        bi = database.create_virtual_warehouse("bi", worker_cpus=0.2)
        pause = threading.Event()
        commit = database.table("numbers").append(numbers(1))
        for _ in range(200):
            if bi.status()["lsn"] >= commit.lsn:
                break
            pause.wait(0.02)
        assert bi.status()["lsn"] >= commit.lsn
    finally:
        database.shutdown()


def test_errors_arrive_as_themselves(db: Database, bi: VirtualWarehouse) -> None:
    with pytest.raises(UnknownObject) as unknown:
        bi.sql("SELECT m FROM numbers")
    assert "Traceback" not in str(unknown.value)
    assert unknown.value.sqlstate == "42703"
    with pytest.raises(InvalidRequest, match="primary"):
        bi.sql("DROP TABLE numbers")


def test_large_results_come_whole(db: Database, bi: VirtualWarehouse) -> None:
    db.table("numbers").append(numbers(*range(300_000)))
    found = bi.sql("SELECT n FROM numbers ORDER BY n", min_lsn=db.snapshot().lsn).polars()
    assert found["n"].to_list() == list(range(300_000))


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        server.make_bucket("mobula-cluster")
        yield server


def test_primary_that_was_replaced_elsewhere_is_fenced(moto: S3Server) -> None:
    """On S3 nothing but the log stops an old primary: it must notice that another took over."""
    root = "s3://mobula-cluster/fenced"
    quick = warehouse.Settings(lease_ms=300)
    old = warehouse.connect(root, store=moto.options(), settings=quick)
    old.sql("CREATE TABLE numbers (n BIGINT)")
    pid = old.status()["pid"]
    os.kill(pid, signal.SIGSTOP)  # a stall: no heartbeat, but not dead
    try:
        new = warehouse.connect(root, engine="local", store=moto.options(), settings=quick)
        new.sql("INSERT INTO numbers VALUES (1)")
    finally:
        os.kill(pid, signal.SIGCONT)
    with new, pytest.raises(Fenced, match="replaced"):
        old.sql("INSERT INTO numbers VALUES (2)")
    # The new one has stepped down: the process opens again, as any other opener would.
    old.sql("INSERT INTO numbers VALUES (3)")
    assert old.sql("SELECT sum(n) FROM numbers").scalar() == 4
    old.shutdown()
