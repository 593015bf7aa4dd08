"""One random history of tables with keys, and what every version of it must hold.

Writes of every kind, alone and in transactions with savepoints and errors, while flushes, merges of
index runs, checkpoints, other writers and a virtual warehouse come at random moments. Limits are so
small that rows go by every path: the log, files, several groups, merged runs.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warehouse
from actors.local_engine import LocalEngine
from actors.primary.limits import CheckpointPolicy, KeyedLimits, SequencerLimits
from actors.primary.primary import Primary
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.objects import MemoryStore
from tests.property.index_check import check_indexes
from tests.property.keyed_model import N_MAX, Batch, Refused, Row, Rows, Shape, random_shape
from warehouse import Commit, Conflict, Database, InvalidRequest, Settings, VirtualWarehouse

__all__ = ["KeyedHistory", "Write", "history", "primary_of"]

REFUSALS = {"23502", "23505", "23514"}
Model = dict[str, Rows]


def primary_of(db: Database) -> Primary:
    """The primary in this process, started if it is not there."""
    engine = db._engine
    assert isinstance(engine, LocalEngine)
    return engine._writer()._primary


@dataclass(frozen=True)
class Write:
    """One write: what it does to the rows of a table, and how to ask for it.

    `everything`: it removes rows that it has not read (TRUNCATE).
    """

    label: str
    shape: Shape
    run: Callable[[Any], Commit | None]
    model: Callable[[Rows], Rows]
    everything: bool = False


class _GiveUp(Exception):
    """A transaction's body ends with an error of its own."""


class Writes:
    """Makes random writes."""

    def __init__(self, source: random.Random, directory: Path) -> None:
        self.source = source
        self.directory = directory
        self.loads = 0

    def any(self, shape: Shape, rows: Rows, *, loads: bool = True) -> Write:
        makers = [self.append, self.append, self.sql_insert, self.update_where, self.delete_where]
        if shape.keyed:
            makers += [self.upsert, self.upsert, self.upsert, self.replace, self.delete_keys]
            makers += [self.on_conflict, self.merge, self.move_key]
        if shape.keys:
            makers += [self.ignore, self.do_nothing]
        if loads:
            makers.append(self.load)
        if self.source.random() < 0.02:
            makers = [self.truncate]
        if self.source.random() < 0.05:
            makers = [self.upsert if shape.keyed else self.append]
            return makers[0](shape, rows, 150)
        return self.source.choice(makers)(shape, rows, self.source.choice([0, 1, 2, 5, 25]))

    def batch(self, shape: Shape) -> Batch:
        return Batch(shape, self.source)

    def _frames(self, name: str, shape: Shape, count: int, model: Any, *, new: Rows = ()) -> Write:
        """A method of `Table` that takes rows. Args: new: rows that few writes must not meet."""
        batch = self.batch(shape)
        rows = batch.rows(count)
        if new:
            rows = tuple(row for row in rows if not shape.rivals(row, new)) or rows
        frame = batch.frame(rows)
        if self.source.random() < 0.2:  # the column is absent: rows get its DEFAULT
            column, default = self.source.choice([("n", 7), ("s", "none")])
            frame = frame.drop(column)
            rows = tuple(Shape.with_(row, shape.at(column), default) for row in rows)
        method, options = (name, {}) if name != "ignore" else ("insert", {"ignore": True})
        return Write(
            f"{name} {len(rows)}",
            shape,
            lambda client: getattr(client.table(shape.name), method)(frame, **options),
            lambda old: model(old, rows),
        )

    def append(self, shape: Shape, rows: Rows, count: int) -> Write:
        free = rows if self.source.random() < 0.8 else ()
        return self._frames("append", shape, count, shape.insert, new=free)

    def ignore(self, shape: Shape, rows: Rows, count: int) -> Write:
        return self._frames("ignore", shape, count, shape.ignore)

    def upsert(self, shape: Shape, rows: Rows, count: int) -> Write:
        return self._frames("upsert", shape, count, shape.upsert)

    def replace(self, shape: Shape, rows: Rows, count: int) -> Write:
        return self._frames("update", shape, count, shape.replace)

    def delete_keys(self, shape: Shape, rows: Rows, count: int) -> Write:
        keys = self.batch(shape).keys(count)
        plain = [key[0] if len(key) == 1 else key for key in keys]
        return Write(
            f"delete {len(keys)} keys",
            shape,
            lambda client: client.table(shape.name).delete(plain),
            lambda old: shape.delete(old, keys),
        )

    def load(self, shape: Shape, rows: Rows, count: int) -> Write:
        batch = self.batch(shape)
        given = batch.rows(count)
        given = tuple(row for row in given if not shape.rivals(row, rows)) or given
        self.loads += 1
        path = self.directory / f"{self.loads}.parquet"
        batch.frame(given).write_parquet(path)
        return Write(
            f"load {len(given)}",
            shape,
            lambda client: client.load(shape.name, str(path)),
            lambda old: shape.insert(old, given),
        )

    # --- SQL --------------------------------------------------------------------------------------

    def _values(self, shape: Shape, rows: Rows) -> tuple[str, list[Any]]:
        """VALUES (…), … with parameters, each with its type."""
        types = [kind.sql for kind in shape.types] + ["integer", "integer", "text", "text"]
        marks = []
        for i in range(len(rows)):
            start = i * len(types) + 1
            cells = ", ".join(f"${start + j}::{name}" for j, name in enumerate(types))
            marks.append(f"({cells})")
        return ", ".join(marks), [value for row in rows for value in row]

    def _sql(self, shape: Shape, label: str, text: str, values: Any, model: Any) -> Write:
        return Write(label, shape, lambda client: client.sql(text, values).commit, model)

    def sql_insert(self, shape: Shape, rows: Rows, count: int) -> Write:
        given = self.batch(shape).rows(max(1, min(count, 5)))
        marks, values = self._values(shape, given)
        text = f"INSERT INTO {shape.name} VALUES {marks}"
        return self._sql(
            shape, f"INSERT {len(given)}", text, values, lambda o: shape.insert(o, given)
        )

    def do_nothing(self, shape: Shape, rows: Rows, count: int) -> Write:
        given = self.batch(shape).rows(max(1, min(count, 5)))
        given += given[:1] if self.source.random() < 0.3 else ()
        marks, values = self._values(shape, given)
        text = f"INSERT INTO {shape.name} VALUES {marks} ON CONFLICT DO NOTHING"
        return self._sql(shape, "DO NOTHING", text, values, lambda o: shape.do_nothing(o, given))

    def on_conflict(self, shape: Shape, rows: Rows, count: int) -> Write:
        given = self.batch(shape).rows(max(1, min(count, 5)), clean=True)
        marks, values = self._values(shape, given)
        text = (
            f"INSERT INTO {shape.name} AS t VALUES {marks} ON CONFLICT "
            f"({', '.join(shape.key_names)}) DO UPDATE SET n = excluded.n, s = t.s || '+'"
        )
        return self._sql(shape, "DO UPDATE", text, values, lambda o: shape.on_conflict(o, given))

    def merge(self, shape: Shape, rows: Rows, count: int) -> Write:
        """Deletes what is there and has n < 30 in the source, updates the rest, inserts what is
        not there."""
        given = self.batch(shape).rows(max(1, min(count, 5)), clean=True)
        marks, values = self._values(shape, given)
        same = " AND ".join(f"t.{k} = g.{k}" for k in shape.key_names)
        text = (
            f"MERGE INTO {shape.name} AS t USING (VALUES {marks}) AS g({', '.join(shape.names)}) "
            f"ON {same} WHEN MATCHED AND g.n < 30 THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET n = g.n, v = g.v WHEN NOT MATCHED THEN INSERT VALUES "
            f"({', '.join(f'g.{name}' for name in shape.names)})"
        )
        n, v = shape.at("n"), shape.at("v")
        source = {shape.key(row): row for row in given}

        def model(old: Rows) -> Rows:
            kept = []
            for row in old:
                new = source.get(shape.key(row))
                if new is None:
                    kept.append(row)
                elif new[n] is None or new[n] >= 30:
                    kept.append(Shape.with_(Shape.with_(row, n, new[n]), v, new[v]))
            known = {shape.key(row) for row in old}
            return shape.checked((*kept, *(r for k, r in source.items() if k not in known)))

        return self._sql(shape, f"MERGE {len(given)}", text, values, model)

    def _predicate(self, shape: Shape) -> tuple[str, Callable[[Row], bool]]:
        n, m, r = shape.at("n"), self.source.choice([1, 2, 3, 7]), self.source.randrange(2)
        return f"n % {m} = {r % m}", lambda row: row[n] is not None and row[n] % m == r % m

    def update_where(self, shape: Shape, rows: Rows, count: int) -> Write:
        text, where = self._predicate(shape)
        n, u, s = (shape.at(name) for name in ("n", "u", "s"))
        add = self.source.choice([1, 3, N_MAX // 20])

        def plain(row: Row) -> Row:
            return Shape.with_(row, n, row[n] + add)

        def far(row: Row) -> Row:
            return Shape.with_(row, u, None if row[u] is None else add * 10_000 - row[u])

        def both(row: Row) -> Row:
            return Shape.with_(plain(row), s, "changed")

        sets, change = self.source.choice(
            [
                (f"n = n + {add}", plain),
                (f"u = {add * 10_000} - u", far),
                (f"n = n + {add}, s = 'changed'", both),
            ]
        )
        return self._sql(
            shape,
            f"UPDATE SET {sets} WHERE {text}",
            f"UPDATE {shape.name} SET {sets} WHERE {text}",
            (),
            lambda old: shape.changed(old, where, change),
        )

    def move_key(self, shape: Shape, rows: Rows, count: int) -> Write:
        """Updates a key column of the rows that have one value there."""
        value = self.source.choice(rows)[0] if rows else self.batch(shape).key()[0]
        new = self.batch(shape).key()[0]
        kind = shape.types[0].sql
        text = f"UPDATE {shape.name} SET k0 = $1::{kind} WHERE k0 = $2::{kind}"
        return self._sql(
            shape,
            f"UPDATE k0 {value} -> {new}",
            text,
            (new, value),
            lambda o: shape.changed(o, lambda r: r[0] == value, lambda r: Shape.with_(r, 0, new)),
        )

    def delete_where(self, shape: Shape, rows: Rows, count: int) -> Write:
        text, where = self._predicate(shape)
        return self._sql(
            shape,
            f"DELETE WHERE {text}",
            f"DELETE FROM {shape.name} WHERE {text}",
            (),
            lambda old: tuple(row for row in old if not where(row)),
        )

    def truncate(self, shape: Shape, rows: Rows, count: int) -> Write:
        return Write(
            "TRUNCATE",
            shape,
            lambda client: client.sql(f"TRUNCATE {shape.name}").commit,
            lambda old: (),
            everything=True,
        )


class KeyedHistory:
    """A database, its virtual warehouse, and what every version of it must hold."""

    def __init__(
        self,
        root: str,
        source: random.Random,
        directory: Path,
        change: Callable[[Shape], Shape] = lambda shape: shape,
    ) -> None:
        """Args: change: what the tables are like besides."""
        self.root = root
        self.source = source
        self.writes = Writes(source, directory)
        self.log: list[str] = []
        self.refused = 0
        self.conflicts = 0
        self.versions: dict[int, Model] = {}
        self.settings = Settings(
            rows_inline_bytes_max=source.choice([300, 1_500, 4_000]),
            lease_ms=30,
            sequencer=SequencerLimits(group_bytes_max=source.choice([2_000, 7 << 20])),
            checkpoints=CheckpointPolicy(tail_groups_max=source.choice([7, 300])),
            keyed=KeyedLimits(
                flush=FlushPolicy(
                    rows_max=source.choice([10, 60, 100_000]), deltas_max=source.choice([3, 50])
                ),
                compaction=CompactionPolicy(
                    holes_max=source.choice([0.01, 0.3, 2.0]),
                    task_files_max=source.choice([1, 16]),
                    depth_max=source.choice([1, 2, 8]),
                    merge_rows_max=source.choice([100, 10_000]),
                    fan_in=2,
                    small_files_max=source.choice([2, 8]),
                ),
            ),
        )
        shapes = [random_shape(source, f"t{i}") for i in range(source.choice([1, 2, 3]))]
        self.shapes = [change(shape) for shape in shapes]
        self.model: Model = {shape.name: () for shape in self.shapes}
        self.open()
        for shape in self.shapes:
            self.db.sql(shape.ddl())
        self.first_lsn = self.db.snapshot().lsn
        self.record(self.first_lsn)

    def open(self) -> None:
        self.db: Database = warehouse.connect(self.root, engine="local", settings=self.settings)
        make = self.db.create_virtual_warehouse
        self.vw: VirtualWarehouse = make("vw", if_not_exists=True)

    def record(self, lsn: int) -> None:
        self.versions[lsn] = dict(self.model)

    def run_inside(self, work: Any) -> Any:
        """Run a coroutine in the loop of the primary."""
        return self.db._engine._loop.run(work)  # type: ignore[attr-defined]

    # --- steps ------------------------------------------------------------------------------------

    def step(self) -> None:
        actions: list[Callable[[], None]] = [self.write] * 12 + [self.transaction] * 6
        actions += [self.flush, self.flush, self.compact, self.merge_runs, self.checkpoint]
        if self.source.random() < 0.3:
            actions.append(self.reopen)
        self.source.choice(actions)()

    def write(self) -> None:
        shape = self.source.choice(self.shapes)
        self.commit_alone(self.writes.any(shape, self.model[shape.name]))

    def commit_alone(self, write: Write) -> None:
        name = write.shape.name
        self.log.append(f"{name}: {write.label}")
        expected = _outcome(write, self.model[name])
        try:
            commit = write.run(self.db)
        except InvalidRequest as error:
            self.check_refused(expected, error)
            return
        assert not isinstance(expected, Refused), f"should be refused: {expected}"
        self.model[name] = expected
        if commit is not None and commit.lsn > max(self.versions):
            self.record(commit.lsn)

    def check_refused(self, expected: Rows | Refused, error: InvalidRequest) -> None:
        assert isinstance(expected, Refused), f"refused: {error}"
        assert error.sqlstate in REFUSALS, error
        self.refused += 1

    def transaction(self) -> None:
        self.log.append("BEGIN")
        transaction = _Transaction(self, self.source.choice(["repeatable read", "read committed"]))
        transaction.play()
        self.log.append("END")

    def flush(self, name: str | None = None) -> None:
        name = name or self.source.choice(self.shapes).name
        self.log.append(f"flush {name}")

        primary = primary_of(self.db)

        async def work() -> None:
            table = primary.snapshot.find_table(name)
            if table is not None and table.deltas:
                with contextlib.suppress(Conflict):  # the background was quicker
                    await primary._maintainer.upkeep.flush(table, primary.snapshot)

        self.run_inside(work())

    def compact(self) -> None:
        """Every file with a hole, or all that overlap, due or not; or another order from now on."""
        name = self.source.choice(self.shapes).name
        if self.source.random() < 0.2:
            order = self.source.choice(["(u)", "(v, u)", "ZORDER (u, n)", "(k0, s)", "NONE"])
            self.log.append(f"cluster {name} by {order}")
            self.db.sql(f"ALTER TABLE {name} CLUSTER BY {order}")
            return
        procedure = self.source.choice(["compact", "recluster"])
        self.log.append(f"{procedure} {name}")
        self.db.sql(f"CALL mobula.{procedure}($1)", [name])

    def merge_runs(self) -> None:
        """All runs of a key as one, due or not."""
        self.log.append("merge runs")
        name = self.source.choice(self.shapes).name
        primary = primary_of(self.db)

        async def work() -> None:
            table = primary.snapshot.find_table(name)
            if table is None or table.id not in primary._sequencer.state.indexes:
                return
            for key in table.keys:
                with contextlib.suppress(Conflict):
                    await primary._maintainer.upkeep.merge(table.id, key.id)

        self.run_inside(work())

    def checkpoint(self) -> None:
        self.log.append("checkpoint")
        self.db.sql("CALL mobula.checkpoint()")

    def reopen(self) -> None:
        self.log.append("reopen")
        self.db.close()
        self.open()

    # --- checks -----------------------------------------------------------------------------------

    def check_newest(self) -> None:
        lsn = self.db.snapshot().lsn
        for shape in self.shapes:
            model = self.model[shape.name]
            found = self.vw.sql(f"SELECT * FROM {shape.name}", min_lsn=lsn).rows()
            same(found, model, f"{shape.name} at {lsn}")
            table = self.db.snapshot().find_table(shape.name)
            assert table is not None
            assert table.row_count == len(model), shape.name
            if shape.keyed:
                self.check_get(shape, model, self.db.table(shape.name).get)
                self.check_get(
                    shape, model, lambda keys, s=shape: self.vw.get(s.name, keys, min_lsn=lsn)
                )

    def check_get(self, shape: Shape, model: Rows, get: Callable[[Any], Any]) -> None:
        batch = Batch(shape, self.source)
        keys = batch.keys(3)
        if model:
            keys = list({*keys, shape.key(self.source.choice(model))})
        plain = [key[0] if len(key) == 1 else key for key in keys]
        wanted = tuple(row for row in model if shape.key(row) in set(keys))
        same(get(plain).rows(), wanted, f"get of {shape.name}")

    def check_every_version(self) -> None:
        last = self.db.snapshot().lsn
        model = self.versions[self.first_lsn]
        for lsn in range(self.first_lsn, last + 1):
            model = self.versions.get(lsn, model)
            shape = self.source.choice(self.shapes)
            found = self.vw.sql(f"SELECT * FROM {shape.name} AS OF LSN {lsn}", min_lsn=last).rows()
            same(found, model[shape.name], f"{shape.name} as of {lsn}")

    def check_index(self) -> None:
        primary = primary_of(self.db)

        async def work() -> int:
            await primary._sequencer.drain()
            return await check_indexes(primary, self.db._engine.store)  # type: ignore[attr-defined]

        self.run_inside(work())


class _Transaction:
    """One transaction of a history, with a model of its own until it ends."""

    def __init__(self, history: KeyedHistory, isolation: str) -> None:
        self.history = history
        self.source = history.source
        self.isolation = isolation
        self.begin = dict(history.model)
        self.fork = dict(history.model)
        self.touched: set[str] = set()
        self.tried: set[str] = set()
        self.emptied: set[str] = set()
        self.met: set[str] = set()  # tables that others wrote meanwhile
        self.savepoints: list[tuple[str, Model, set[str], set[str]]] = []
        self.failed = False

    def play(self) -> None:
        history = self.history
        scope = history.db.transaction(isolation=self.isolation)
        gives_up = self.source.random() < 0.15
        try:
            with scope as tx:
                for _ in range(self.source.randrange(1, 7)):
                    self.step(tx)
                if gives_up:
                    raise _GiveUp
        except _GiveUp:
            return
        except Conflict:
            assert self.tried & self.met, "nobody else has written what it wrote"
            history.conflicts += 1
            return
        except InvalidRequest as error:
            self.check_rolled_back(error)
            return
        assert not self.failed
        for name in self.touched:
            history.model[name] = self.merged(name)
        if scope.commit is not None and scope.commit.lsn > max(history.versions):
            history.record(scope.commit.lsn)

    def check_rolled_back(self, error: InvalidRequest) -> None:
        """Because of a statement that had failed, or of a key that others have taken meanwhile."""
        if self.failed:
            assert error.sqlstate == "25P02", error
            return
        assert error.sqlstate == "23505", error
        assert self.tried & self.met, error
        self.history.conflicts += 1

    def merged(self, name: str) -> Rows:
        """What others have made of a table meanwhile, with what the transaction did."""
        now, fork, begin = self.history.model[name], self.fork[name], self.begin[name]
        if name in self.emptied or name not in self.met:
            return fork
        gone, new = Counter(begin) - Counter(fork), Counter(fork) - Counter(begin)
        assert gone <= Counter(now), f"{name}: the commit should have been a conflict"
        shape = next(shape for shape in self.history.shapes if shape.name == name)
        return shape.checked((Counter(now) - gone + new).elements())

    def step(self, tx: Any) -> None:
        roll = self.source.random()
        if self.failed:
            self.step_failed(tx)
        elif roll < 0.6:
            self.write(tx)
        elif roll < 0.7:
            name = self.source.choice("ab")
            self.history.log.append(f"  SAVEPOINT {name}")
            tx.savepoint(name)
            self.savepoints.append((name, dict(self.fork), set(self.touched), set(self.emptied)))
        elif roll < 0.78 and self.savepoints:
            self.roll_back_to(tx)
        elif roll < 0.82 and self.savepoints:
            name = self.source.choice(self.savepoints)[0]
            self.history.log.append(f"  RELEASE {name}")
            tx.release(name)
            del self.savepoints[self.newest(name) :]
        elif roll < 0.89:
            self.others_write()
        elif roll < 0.92:
            self.history.compact()
        else:  # rows move that it has read, and written
            self.history.flush(self.source.choice(sorted(self.touched) or [None]))
        if not self.failed:
            self.read(tx)

    def step_failed(self, tx: Any) -> None:
        if self.savepoints and self.source.random() < 0.6:
            self.roll_back_to(tx)
            return
        assert not self.answers(tx)

    def answers(self, tx: Any) -> bool:
        """Whether it takes statements. What a frame itself has wrong is refused by the client and
        never reaches the transaction, which goes on; every other error ends it."""
        try:
            tx.sql("SELECT 1")
        except InvalidRequest as error:
            return error.sqlstate != "25P02"
        return True

    def write(self, tx: Any) -> None:
        shape = self.source.choice(self.history.shapes)
        write = self.history.writes.any(shape, self.fork[shape.name], loads=False)
        self.history.log.append(f"  {shape.name}: {write.label}")
        expected = _outcome(write, self.fork[shape.name])
        self.tried.add(shape.name)
        try:
            write.run(tx)
        except InvalidRequest as error:
            self.history.check_refused(expected, error)
            self.failed = not self.answers(tx)
            assert self.failed or write.label[0].islower(), "an error of SQL ends a transaction"
            return
        assert not isinstance(expected, Refused), f"should be refused: {expected}"
        self.fork[shape.name] = expected
        self.touched.add(shape.name)
        if write.everything:
            self.emptied.add(shape.name)

    def newest(self, name: str) -> int:
        return max(i for i, point in enumerate(self.savepoints) if point[0] == name)

    def roll_back_to(self, tx: Any) -> None:
        name = self.source.choice(self.savepoints)[0]
        self.history.log.append(f"  ROLLBACK TO {name}")
        tx.roll_back_to(name)
        at = self.newest(name)
        del self.savepoints[at + 1 :]
        _, fork, touched, emptied = self.savepoints[at]
        self.fork, self.touched, self.emptied = dict(fork), set(touched), set(emptied)
        self.failed = False

    def others_write(self) -> None:
        """A commit beside the transaction. One that reads what is committed sees it from its next
        statement on; such a table it has not written yet, here."""
        history = self.history
        committed = self.isolation == "read committed"
        if committed and self.savepoints:
            return
        free = [s for s in history.shapes if not committed or s.name not in self.touched]
        if free:
            shape = self.source.choice(free)
            history.log.append("  (others)")
            history.commit_alone(history.writes.any(shape, history.model[shape.name]))
            if committed:
                self.fork[shape.name] = self.begin[shape.name] = history.model[shape.name]
            else:
                self.met.add(shape.name)

    def read(self, tx: Any) -> None:
        shape = self.source.choice(self.history.shapes)
        model = self.fork[shape.name]
        same(tx.sql(f"SELECT * FROM {shape.name}").rows(), model, f"{shape.name} inside")
        if shape.keyed and self.source.random() < 0.5:
            self.history.check_get(shape, model, tx.table(shape.name).get)


def _outcome(write: Write, rows: Rows) -> Rows | Refused:
    try:
        return write.model(rows)
    except Refused as refused:
        return refused


def same(found: list[Row], wanted: Rows, what: str) -> None:
    extra, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    problem = (
        f"{what}: not wanted {list(extra.elements())[:3]}, missing {list(missing.elements())[:3]}"
    )
    assert len(found) == len(wanted), problem
    assert not extra, problem


@contextmanager
def history(
    seed: int, change: Callable[[Shape], Shape] = lambda shape: shape
) -> Iterator[KeyedHistory]:
    """A new history. What fails inside says the seed and what was done.

    Args: change: see `KeyedHistory`.
    """
    name = f"keyed-{seed}"
    MemoryStore.forget(name)
    with tempfile.TemporaryDirectory() as directory:
        made = KeyedHistory(f"memory://{name}", random.Random(seed), Path(directory), change)
        try:
            yield made
        except Exception as error:
            story = "\n".join([*(shape.ddl() for shape in made.shapes), *made.log[-30:]])
            raise AssertionError(f"seed {seed}: {error}\n{story}") from error
        finally:
            made.db.close()
            MemoryStore.forget(name)
