"""Clients that ask again and again: threads of this process, or of processes of their own.

What a client does is made step by step by a function (client, step) -> (label, call). Making it is
not timed, the call is. A `ClientProcess` gets the function that makes that function, since it has a
connection of its own.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import warehouse

__all__ = ["Call", "ClientProcess", "Clients", "MakeSteps", "Steps", "Timed"]

Call = tuple[str, Callable[[], object]]  # a label, and what is timed
Steps = Callable[[int, int], Call]  # (client, step) -> call
MakeSteps = Callable[[warehouse.Database], Steps]  # can be pickled

START_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One call. Seconds of this machine's monotonic clock, which all its processes share."""

    label: str
    begun: float
    ended: float

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.ended - self.begun) * 1000


class Clients:
    """A block in which so many threads ask. `times` has all their calls afterwards.

    A client whose call fails asks no more; the end of the block raises the error.
    """

    def __init__(self, count: int, steps: Steps, rate: float | None = None) -> None:
        """Args: rate: calls per second and client; one that comes late is made at once, and the
        next ones are not put off for it. None: the next follows the one before."""
        self.times: list[Timed] = []
        self._steps = steps
        self._rate = rate
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(client,), daemon=True)
            for client in range(count)
        ]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    @property
    def failed(self) -> bool:
        """Whether one of them has given up: nothing is to be waited for."""
        return self._failure is not None

    def _run(self, client: int) -> None:
        start = time.monotonic()
        step = 0
        try:
            while not self._stop.is_set():
                label, call = self._steps(client, step)
                if self._rate is not None:
                    due = start + step / self._rate
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        return
                begun = time.monotonic()
                call()
                self.times.append(Timed(label=label, begun=begun, ended=time.monotonic()))
                step += 1
        except BaseException as error:  # raised in the thread that waits for these
            self._failure = error


class ClientProcess:
    """A process with a connection of its own to a database on this process's Ray."""

    def __init__(self, root: str) -> None:
        """Starts it; `ready` waits for it, so that several can start at a time."""
        import ray

        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        address = ray.get_runtime_context().gcs_address
        self._process = context.Process(target=_serve, args=(theirs, address, root), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def ready(self) -> None:
        """Wait until it is connected."""
        self._answer()

    def begin(self, count: int, make_steps: MakeSteps, rate: float | None = None) -> None:
        """See `Clients`. Returns once they ask."""
        self._pipe.send((count, make_steps, rate))
        self._answer()

    def end(self) -> list[Timed]:
        """Let them finish. Raises RuntimeError if a call has failed."""
        self._pipe.send(None)
        found = self._answer()
        assert isinstance(found, list)
        return found

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> Any:
        if not self._pipe.poll(START_S):
            raise RuntimeError(f"client process {self.pid} does not answer")
        found = self._pipe.recv()  # EOFError, if it broke off: it has said why on stderr
        if isinstance(found, BaseException):
            raise RuntimeError(f"client process {self.pid}: {found!r}")
        return found


def _serve(pipe: Connection, ray_address: str, root: str) -> None:
    import ray

    ray.init(address=ray_address, log_to_driver=False, logging_level=logging.ERROR)
    with warehouse.connect(root) as database:
        pipe.send("ready")
        while True:
            try:
                count, make_steps, rate = pipe.recv()
            except EOFError:
                return
            try:
                with Clients(count, make_steps(database), rate) as clients:
                    pipe.send("begun")
                    pipe.recv()
            except Exception as error:
                pipe.send(RuntimeError(repr(error)))
            else:
                pipe.send(clients.times)
