"""The systems under test behind one face: prepare once, run a query, close.

Mobula runs on a virtual warehouse of one worker, through the public API; the time of a query is
what its caller waits: SQL text in, Arrow table out, all hops between processes included. Each peer
is a process of its own (`peers/`), which measures the same span inside itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pyarrow import feather

from benchmarks.environment import BENCH_DIRECTORY, peer_python
from warehouse.tpch import queries, schema_sql

__all__ = ["NAMES", "Measured", "System", "SystemFailedError", "open_system"]

_PEERS = Path(__file__).parent / "peers"
_DUCKDB = ("duckdb==2.0.0", "pyarrow==26.0.1")
_POLARS = ("polars==2.1.0",)


class SystemFailedError(Exception):
    """A system could not prepare, or could not answer a query. The message is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of one query: wall time and rows of the answer."""

    ms: float
    rows: int


class System(Protocol):
    """A system that holds the eight tables and answers the queries."""

    name: str

    def prepare(self, tables: Mapping[str, Path]) -> str:
        """Load or register the Parquet file of each table. Returns name and version."""
        ...

    def run(self, query: int, answer: Path | None = None) -> Measured:
        """Answer a query; keep the answer as an Arrow IPC file when a path is given."""
        ...

    def close(self) -> None:
        """End every process that belongs to the system."""
        ...


class Mobula:
    """A database in a directory on Ray, and a virtual warehouse `bench` of one worker."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._threads = threads
        self._queries = queries()
        self._database: Any = None
        self._warehouse: Any = None

    def prepare(self, tables: Mapping[str, Path]) -> str:
        import importlib.metadata

        import warehouse

        root = (BENCH_DIRECTORY / "mobula").absolute()
        shutil.rmtree(root, ignore_errors=True)
        self._database = warehouse.connect(root.as_uri())
        for statement in schema_sql():
            self._database.sql(statement)
        for table, path in tables.items():
            self._database.load(table, str(path))
        self._warehouse = self._database.create_virtual_warehouse(
            "bench", size=1, worker_cpus=self._threads
        )
        return f"Mobula {importlib.metadata.version('mobula')}"

    def run(self, query: int, answer: Path | None = None) -> Measured:
        from storage.errors import MobulaError

        start = time.perf_counter()
        try:
            result = self._warehouse.sql(self._queries[query])
            table = result.arrow()
        except MobulaError as error:
            raise SystemFailedError(f"{type(error).__name__}: {error}") from error
        elapsed_ms = (time.perf_counter() - start) * 1000
        if result.stats.result_cache_hit:
            raise SystemFailedError("the result cache answered: nothing was measured")
        if answer is not None:
            feather.write_feather(table, str(answer), compression="uncompressed")
        return Measured(ms=elapsed_ms, rows=table.num_rows)

    def close(self) -> None:
        if self._warehouse is not None:
            self._database.drop_virtual_warehouse("bench")
        if self._database is not None:
            self._database.close()


class Peer:
    """A peer process, spoken to in JSON lines (`peers/serve.py`)."""

    def __init__(self, name: str, script: str, python: Path, threads: int, **settings: str) -> None:
        self.name = name
        self._settings = {"threads": threads, **settings}
        self._process = subprocess.Popen(
            [str(python), "-E", "-s", str(_PEERS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "POLARS_MAX_THREADS": str(threads)},
        )

    def prepare(self, tables: Mapping[str, Path]) -> str:
        paths = {table: str(path.absolute()) for table, path in tables.items()}
        prepared = self._ask(prepare={"tables": paths, "queries": queries(), **self._settings})
        return str(prepared["version"])

    def run(self, query: int, answer: Path | None = None) -> Measured:
        kept = {} if answer is None else {"answer": str(answer.absolute())}
        reply = self._ask(run=query, **kept)
        return Measured(ms=reply["ms"], rows=reply["rows"])

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, **request: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SystemFailedError("its process has ended") from None
        line = self._process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": "its process has ended"}
        if "error" in reply:
            raise SystemFailedError(reply["error"])
        return reply


def _mobula(name: str, threads: int) -> System:
    return Mobula(name, threads)


def _duckdb_parquet(name: str, threads: int) -> System:
    return Peer(name, "duckdb_peer.py", peer_python("duckdb", *_DUCKDB), threads)


def _duckdb_native(name: str, threads: int) -> System:
    database = (BENCH_DIRECTORY / "native.duckdb").absolute()
    for path in (database, database.with_suffix(".duckdb.wal")):
        path.unlink(missing_ok=True)
    python = peer_python("duckdb", *_DUCKDB)
    return Peer(name, "duckdb_peer.py", python, threads, native=str(database))


def _polars_parquet(name: str, threads: int) -> System:
    return Peer(name, "polars_peer.py", peer_python("polars", *_POLARS), threads)


_OPENERS = {
    "mobula": _mobula,
    "duckdb-parquet": _duckdb_parquet,
    "duckdb-native": _duckdb_native,
    "polars-parquet": _polars_parquet,
}

NAMES: tuple[str, ...] = tuple(_OPENERS)
"""Systems in the order of the report; ratios are to the first one that runs."""


def open_system(name: str, threads: int) -> System:
    """Start a system, in an environment of its own where it is a peer."""
    return _OPENERS[name](name, threads)
