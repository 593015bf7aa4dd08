"""Virtual warehouses as real processes: scaled, suspended, cancelled, short of memory, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
import ray

import warehouse
from actors import spawn
from storage.errors import Cancelled, MobulaError, OutOfMemory, Unavailable, UnknownObject
from tests.ray_cluster import RayCluster
from warehouse import Database, InvalidRequest, NodeType, RaySettings, Settings, VirtualWarehouse

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 60.0
# Days of work, in bounded memory: it has to be ended.
ENDLESS = "SELECT count(*) FROM t x JOIN t y ON x.b = y.b WHERE (x.a + y.a) % 7 = 3"
CLIENT = """
import sys
import ray, warehouse
ray.init(address="auto", log_to_driver=False)
bi = warehouse.connect(sys.argv[1]).virtual_warehouse(sys.argv[2])
print("ready", flush=True)
bi.sql(sys.argv[3])
"""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A spare worker is there for whoever needs one."""
    pool = {"default": NodeType(floor=1, cpus=0.2)}
    settings = Settings(ray=RaySettings(node_types=pool, start_timeout_s=30))
    database = warehouse.connect(str(tmp_path_factory.mktemp("elastic") / "db"), settings=settings)
    database.sql(
        "CREATE TABLE t AS SELECT x AS a, x % 7 AS b FROM generate_series(1, 3000000) AS g (x)"
    )
    yield database
    database.shutdown()


@pytest.fixture(scope="module")
def bi(db: Database) -> VirtualWarehouse:
    """Two workers, awake."""
    made = db.create_virtual_warehouse("bi", size=2, worker_cpus=0.2)
    made.resume()
    wait_for(lambda: len(pids(made)) == 2)
    return made


def wait_for(condition: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Processes come and go when they do: look again until it is so."""
    pause = threading.Event()
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.02)


def pids(vw: VirtualWarehouse) -> list[int]:
    return [int(pid) for pid in vw.status()["worker_pids"]]


def running(db: Database, name: str = "bi") -> list[tuple[str, int]]:
    """(id, pid of the worker) of the queries that run on a virtual warehouse."""
    found = db.sql(
        "SELECT query_id, worker_pid FROM mobula.queries() "
        "WHERE warehouse = $1 AND state = 'running'",
        [name],
    )
    return [(str(query), int(pid)) for query, pid in found.rows()]


class Asking:
    """A query in a thread of its own, and what became of it."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.answer: object = None
        self._ask = ask
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._ask()
        except BaseException as error:
            self.error = error

    def join(self) -> BaseException | None:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the query is stuck"
        return self.error


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# --- a query is ended -----------------------------------------------------------------------------


def test_killed_query_frees_its_process_and_the_other_worker_goes_on(
    db: Database, bi: VirtualWarehouse
) -> None:
    before = pids(bi)
    asking = Asking(lambda: bi.sql(ENDLESS))
    wait_for(lambda: len(running(db)) == 1)
    [(query_id, pid)] = running(db)
    assert bi.sql("SELECT count(*) FROM t").scalar() == 3_000_000  # the other worker's
    assert db.cancel(query_id)
    error = asking.join()
    assert isinstance(error, Cancelled)
    assert query_id in str(error)
    wait_for(lambda: is_gone(pid))
    wait_for(lambda: len(pids(bi)) == 2)
    assert set(before) - {pid} < set(pids(bi))
    assert not db.cancel(query_id)
    record = db.sql(
        "SELECT state, sqlstate, worker_seconds > 0 FROM mobula.queries() WHERE query_id = $1",
        [query_id],
    )
    assert record.rows() == [("cancelled", "57014", True)]


def test_statement_timeout_frees_the_process(db: Database, bi: VirtualWarehouse) -> None:
    asking = Asking(lambda: bi.sql(ENDLESS, timeout_s=1.5))
    wait_for(lambda: len(running(db)) == 1)
    [(_, pid)] = running(db)
    assert isinstance(asking.join(), Cancelled)
    wait_for(lambda: is_gone(pid))
    wait_for(lambda: len(pids(bi)) == 2)


def test_query_of_a_client_that_died_is_ended(
    db: Database, bi: VirtualWarehouse, ray_cluster: RayCluster
) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, db.root, "bi", ENDLESS],
        cwd=REPOSITORY,
        env=ray_cluster.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        wait_for(lambda: len(running(db)) == 1)
        [(query_id, pid)] = running(db)
        client.kill()
        wait_for(lambda: is_gone(pid), 5.0)
    finally:
        client.kill()
        client.communicate()
    wait_for(lambda: not running(db))
    why = db.sql("SELECT error FROM mobula.queries() WHERE query_id = $1", [query_id]).scalar()
    assert "its client is gone" in why


def test_interrupted_client_ends_its_query(
    db: Database, bi: VirtualWarehouse, ray_cluster: RayCluster
) -> None:
    """Ctrl-C."""
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, db.root, "bi", ENDLESS],
        cwd=REPOSITORY,
        env=ray_cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert client.stdout is not None
        client.stdout.readline()
        wait_for(lambda: len(running(db)) == 1)
        [(_, pid)] = running(db)
        client.send_signal(signal.SIGINT)
        wait_for(lambda: is_gone(pid), 5.0)
    finally:
        client.kill()
        client.communicate()


def test_closed_stream_frees_its_worker(db: Database, bi: VirtualWarehouse) -> None:
    with bi.stream("SELECT x.a FROM t x JOIN t y ON x.b = y.b") as stream:
        assert next(iter(stream)).num_rows > 0
        assert len(running(db)) == 1
    wait_for(lambda: not running(db))
    wait_for(lambda: len(pids(bi)) == 2)
    assert bi.sql("SELECT count(*) FROM t").scalar() == 3_000_000


# --- processes die --------------------------------------------------------------------------------


def test_query_of_a_killed_worker_runs_again_elsewhere(db: Database, bi: VirtualWarehouse) -> None:
    slow = "SELECT count(*) FROM t x JOIN t y ON x.b = y.b AND y.a <= 4000"
    expected = 3_000_000 // 7 * 4000
    asking = Asking(lambda: bi.sql(slow).scalar())
    wait_for(lambda: len(running(db)) == 1)
    os.kill(running(db)[0][1], signal.SIGKILL)
    assert asking.join() is None
    assert asking.answer is not None
    assert abs(int(str(asking.answer)) - expected) < 10 * 4000
    attempts = db.sql("SELECT max(attempts) FROM mobula.queries() WHERE sql = $1", [slow])
    assert attempts.scalar() == 2


def test_killed_fleet_finds_its_processes_again(db: Database, bi: VirtualWarehouse) -> None:
    wait_for(lambda: len(pids(bi)) == 2)
    before = bi.status()
    fleet = spawn.find_fleet(db._node)
    assert fleet is not None
    os.kill(ray.get(fleet.ready.remote()), signal.SIGKILL)
    assert bi.sql("SELECT count(*) FROM t").scalar() == 3_000_000  # it needs no fleet for that
    wait_for(lambda: bool(answered(fleet)))
    again = db.virtual_warehouse("bi")
    assert again.status()["pid"] == before["pid"]
    assert pids(again) == before["worker_pids"]
    os.kill(before["worker_pids"][0], signal.SIGKILL)
    wait_for(lambda: len(pids(bi)) == 2 and before["worker_pids"][0] not in pids(bi))


def answered(fleet: object) -> object:
    """The fleet's status, once it is there again."""
    try:
        return ray.get(fleet.status.remote(), timeout=5)  # type: ignore[attr-defined]
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
        return None


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(db: Database) -> Iterator[VirtualWarehouse]:
    """Two workers of 500 MiB."""
    made = db.create_virtual_warehouse(
        "small", size=2, worker_cpus=0.2, worker_memory_bytes=500 << 20
    )
    wait_for(lambda: len(pids(made)) == 2)
    yield made
    db.drop_virtual_warehouse("small", force=True)


def test_process_that_takes_too_much_memory_ends_alone(
    db: Database, small: VirtualWarehouse
) -> None:
    """No plan knows what a user's function takes: the process is watched."""

    def hog(values: pa.Array) -> pa.Array:
        held = bytearray(900 << 20)
        return pa.array([held[0]] * len(values), pa.int64())

    db.register_function("hog", hog, arguments=["bigint"], returns="bigint")
    before = set(pids(small))
    with pytest.raises(OutOfMemory, match="500 MiB") as found:
        small.sql("SELECT hog(a) FROM t LIMIT 1")
    assert found.value.sqlstate == "53200"
    wait_for(lambda: len(pids(small)) == 2)
    assert len(before & set(pids(small))) == 1  # not repeated, and its sibling lives
    assert small.sql("SELECT count(*) FROM t").scalar() == 3_000_000
    events = "SELECT reason FROM mobula.scaling_events() WHERE action = 'worker replaced'"
    reasons = [reason for (reason,) in db.sql(events).rows()]
    assert any("out of memory" in reason for reason in reasons)


def test_group_that_no_memory_holds_is_refused(small: VirtualWarehouse) -> None:
    hungry = "SELECT array_agg(x.a || '-' || y.a) FROM t x JOIN t y ON x.b = y.b AND y.a <= 200"
    with pytest.raises(OutOfMemory, match="more memory"):
        small.sql(hungry)


def test_query_larger_than_memory_works_on_the_disk(small: VirtualWarehouse) -> None:
    """All its groups at once would take more than a gigabyte."""
    numbers = " UNION ALL ".join(f"SELECT a + {n * 3_000_000} AS n FROM t" for n in range(5))
    many = f"SELECT count(*), sum(c) FROM (SELECT n, count(*) AS c FROM ({numbers}) s GROUP BY n) g"
    found = small.sql(many)
    assert found.rows() == [(15_000_000, 15_000_000)]
    assert found.stats.spilled_bytes > 0
    assert found.stats.peak_memory_bytes < 500 << 20


# --- life -----------------------------------------------------------------------------------------


def test_queueing_adds_clusters_and_their_workers_answer(db: Database) -> None:
    out = db.create_virtual_warehouse(
        "out", size=1, worker_cpus=0.2, max_clusters=3, auto_suspend_s=3
    )
    out.resume()
    used: set[int] = set()
    stop = threading.Event()
    failures: list[MobulaError] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                out.sql("SELECT count(*) FROM t x JOIN t y ON x.b = y.b AND y.a <= 10")
            except MobulaError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()

    def seen() -> bool:
        used.update(pid for _, pid in running(db, "out"))
        return len(used) == 3

    try:
        wait_for(seen)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    wait_for(lambda: out.status()["state"] == "suspended")
    wait_for(lambda: sum(not is_gone(pid) for pid in used) <= 1)  # one is kept: the floor
    actions = db.sql(
        "SELECT action FROM mobula.scaling_events() WHERE warehouse = 'out' ORDER BY happened_at"
    )
    kinds = [row[0] for row in actions.rows()]
    assert "scale out" in kinds
    assert "suspend" in kinds
    assert out.sql("SELECT 1").scalar() == 1  # a query wakes it
    db.drop_virtual_warehouse("out")


def test_suspended_one_gives_its_workers_back_and_wakes_for_a_query(db: Database) -> None:
    vw = db.create_virtual_warehouse("sleepy", size=1, worker_cpus=0.2)
    assert vw.sql("SELECT 1").scalar() == 1
    vw.suspend()
    assert vw.status()["state"] == "suspended"
    assert pids(vw) == []
    assert vw.sql("SELECT count(*) FROM t").scalar() == 3_000_000
    vw.alter(auto_resume=False)
    vw.suspend()
    with pytest.raises(Unavailable, match="RESUME"):
        vw.sql("SELECT 1")
    vw.resume()
    assert vw.sql("SELECT 1").scalar() == 1
    db.drop_virtual_warehouse("sleepy")


def test_drop_waits_for_queries_and_force_does_not(db: Database) -> None:
    vw = db.create_virtual_warehouse("gone", size=1, worker_cpus=0.2)
    vw.sql("SELECT 1")
    slow = Asking(lambda: vw.sql("SELECT count(*) FROM t x JOIN t y ON x.b = y.b AND y.a <= 40"))
    wait_for(lambda: len(running(db, "gone")) == 1)
    db.drop_virtual_warehouse("gone")
    assert slow.join() is None
    with pytest.raises(UnknownObject, match="gone"):
        vw.sql("SELECT 1")
    vw = db.create_virtual_warehouse("gone", size=1, worker_cpus=0.2)
    vw.sql("SELECT 1")
    endless = Asking(lambda: vw.sql(ENDLESS))
    wait_for(lambda: len(running(db, "gone")) == 1)
    [(_, pid)] = running(db, "gone")
    db.drop_virtual_warehouse("gone", force=True)
    assert isinstance(endless.join(), Cancelled | UnknownObject)
    wait_for(lambda: is_gone(pid))


def test_altered_size_is_followed(db: Database) -> None:
    vw = db.create_virtual_warehouse("sized", size=1, worker_cpus=0.2)
    vw.sql("SELECT 1")
    [first] = pids(vw)
    vw.alter(size=2)
    wait_for(lambda: len(pids(vw)) == 2)
    assert first in pids(vw)
    vw.alter(size=1, worker_cpus=0.3)
    wait_for(lambda: len(pids(vw)) == 1 and first not in pids(vw))
    assert vw.sql("SELECT 1").scalar() == 1
    db.drop_virtual_warehouse("sized")


@pytest.mark.slow  # it waits for half a minute
def test_cluster_that_has_not_the_nodes_says_so(db: Database) -> None:
    with pytest.raises(Unavailable, match=r"500 CPUs.*given 0") as found:
        db.create_virtual_warehouse("huge", worker_cpus=500).resume()
    assert "CPU" in str(found.value)
    db.drop_virtual_warehouse("huge", force=True)


def test_node_type_that_is_not_there_is_named(db: Database) -> None:
    with pytest.raises(InvalidRequest, match="default"):
        db.create_virtual_warehouse("typed", node_type="defalt").resume()
    db.drop_virtual_warehouse("typed", if_exists=True)


# --- isolation ------------------------------------------------------------------------------------


def test_warehouses_and_primary_share_no_process_and_read_for_themselves(
    db: Database, bi: VirtualWarehouse
) -> None:
    other = db.create_virtual_warehouse("other", worker_cpus=0.2)
    other.sql("SELECT sum(a) FROM t")
    bi.sql("SELECT sum(a) FROM t")
    processes = [
        {db.status()["pid"]},
        {bi.status()["pid"], *pids(bi)},
        {other.status()["pid"], *pids(other)},
    ]
    assert sum(len(group) for group in processes) == len(set.union(*processes))
    counts = "SELECT name, requests, read_bytes FROM mobula.warehouses() ORDER BY name"
    before = {name: (requests, size) for name, requests, size in db.sql(counts).rows()}
    vw = db.create_virtual_warehouse("third", worker_cpus=0.2)
    vw.sql("SELECT sum(a) FROM t")
    after = {name: (requests, size) for name, requests, size in db.sql(counts).rows()}
    table_bytes = sum(t.files.size_bytes for t in db.snapshot().tables.values())
    assert after["third"][1] >= table_bytes  # fetched from the store by its own worker
    assert after["other"][1] - before["other"][1] < table_bytes
    for name in ("other", "third"):
        db.drop_virtual_warehouse(name)
