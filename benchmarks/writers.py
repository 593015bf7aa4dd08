"""The systems that take upserts, each in a process of its own (`peers/serve_writes.py`).

Every call has a deadline. A system that misses it is ended and has failed: it holds up nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import peer_python

__all__ = [
    "NAMES",
    "SYSTEMS",
    "WriterFailedError",
    "WriterProcess",
    "WriterSystem",
    "sustained_systems",
]

_PEERS = Path(__file__).parent / "peers"
_ROOT = _PEERS.parent.parent
CLOSE_SECONDS = 120.0
_ARROW = "pyarrow==26.0.1"


class WriterFailedError(Exception):
    """A system raised, died or ran out of time. The message says which, in its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSystem:
    """How a system is started.

    Attributes:
        command: its process, made when it is asked for, since making it may install a peer.
        synced: a batch is synced to the disk when the call returns.
        rows_max: larger tables are not tried; None: all are.
    """

    name: str
    command: Callable[[], list[str]]
    synced: bool
    rows_max: int | None = None

    def start(self) -> WriterProcess:
        """A process that has opened nothing yet.

        Raises:
            WriterFailedError: the system cannot be installed.
        """
        try:
            return WriterProcess(self.name, self.command())
        except subprocess.CalledProcessError as error:
            raise WriterFailedError(f"cannot be installed: {error}") from error


class WriterProcess:
    """One process of a system."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        # Mobula's script imports the tree that this module is of, wherever it was started.
        paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self, seconds: float, **request: object) -> dict[str, Any]:
        """The reply to one request.

        Raises:
            WriterFailedError: an error of the system's, or none within the time; then it is ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._replies.get(timeout=max(seconds, 0.001))
        except BrokenPipeError:
            line = ""
        except queue.Empty:
            self.kill()
            raise WriterFailedError(
                f"no answer to {next(iter(request))} within {seconds:g} s"
            ) from None
        if not line:
            code = self._process.wait()
            raise WriterFailedError(f"its process has ended with status {code}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WriterFailedError(reply["error"])
        return reply

    def pause(self) -> None:
        """Stop it where it is, threads and all: another one has its turn."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Let it close what it holds, then end it. Does nothing for one that has ended."""
        if self._process.poll() is None:
            self.resume()  # one that is stopped hears nothing
            try:
                self.ask(CLOSE_SECONDS, close=0)
            except WriterFailedError:
                self.kill()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # which ends it
        try:
            self._process.wait(timeout=CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._listener.join()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._replies.put(line)
        self._replies.put("")


def _peer(
    script: str, name: str, *requirements: str, argument: str = ""
) -> Callable[[], list[str]]:
    def command() -> list[str]:
        python = peer_python(name, *requirements)
        return [str(python), "-E", "-s", str(_PEERS / script), *filter(None, [argument])]

    return command


def _mobula(argument: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, str(_PEERS / "mobula_writes.py"), argument]


_DUCKDB = ("duckdb==2.0.1", _ARROW)
_LANCE = ("pylance==14.0.2", _ARROW)
_DELTA = ("deltalake==1.6.6", _ARROW)
_ICEBERG = ("pyiceberg[sql-sqlite]==0.12.0", _ARROW)


def sustained_systems(partitions: int, optimize_batches: int) -> dict[str, WriterSystem]:
    """The systems of the benchmark of sustained upserts, by name.

    Args:
        partitions: hash partitions of Mobula's table; 0: none.
        optimize_batches: after so many batches Lance compacts and renews its index.
    """
    mobula = [sys.executable, str(_PEERS / "mobula_sustained.py"), str(partitions)]
    lance = _peer("lance_sustained.py", "lance", *_LANCE, argument=str(optimize_batches))
    return {
        "mobula": WriterSystem(name="mobula", command=lambda: mobula, synced=True),
        "lance": WriterSystem(name="lance", command=lance, synced=False),
    }


_ALL = [
    WriterSystem(name="mobula", command=_mobula("local"), synced=True),
    WriterSystem(name="mobula-ray", command=_mobula("ray"), synced=True),
    WriterSystem(
        name="duckdb", command=_peer("duckdb_writes.py", "duckdb-writes", *_DUCKDB), synced=True
    ),
    WriterSystem(name="lance", command=_peer("lance_writes.py", "lance", *_LANCE), synced=False),
    WriterSystem(
        name="lance-index",
        command=_peer("lance_writes.py", "lance", *_LANCE, argument="index"),
        synced=False,
    ),
    WriterSystem(name="delta", command=_peer("delta_writes.py", "delta", *_DELTA), synced=False),
    WriterSystem(
        name="iceberg",
        command=_peer("iceberg_writes.py", "iceberg", *_ICEBERG),
        synced=False,
        rows_max=2_000_000,
    ),
]

SYSTEMS = {system.name: system for system in _ALL}
"""In the order of the report."""

NAMES = tuple(SYSTEMS)
