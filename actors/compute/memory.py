"""What memory this process takes of its own, watched while a query runs in it.

Counted is what the process has written to (anonymous pages): not the files that it maps, which the
kernel drops when it needs the room, nor Ray's object store, which it shares with others.

A limit by the kernel (`RLIMIT_AS`) would abort the process somewhere in Polars, and nobody could
say why it died. So a thread looks 50 times a second; when the limit is passed it says so to whoever
waits for the query, who gets `OutOfMemory` and ends the process. If nobody does, it ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["MemoryWatch", "Watched", "anonymous_bytes"]

LOOK_S = 0.02
IDLE_LOOKS = 50  # after so many without anything to watch the thread sleeps until there is
LAST_WORDS_S = 2.0  # between saying that the limit was passed, and ending the process
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = "/proc/self/statm"


def anonymous_bytes() -> int:
    """Anonymous memory of this process that is resident; 0 where the system does not say."""
    try:
        file = os.open(_STATM, os.O_RDONLY)  # twice a query: without Python's buffers and decoder
    except OSError:  # not Linux
        return 0
    try:
        fields = os.read(file, 200).split()
    finally:
        os.close(file)
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES


@dataclass(slots=True, eq=False)
class Watched:
    """One query under watch.

    Attributes:
        peak_bytes: the most that the process took so far.
        exceeded: done once it took more than the limit; its value is how much.
        over: the query is, whatever was told meanwhile.
    """

    limit_bytes: int | None
    exceeded: asyncio.Future[int]
    peak_bytes: int = 0
    over: bool = False


class MemoryWatch:
    """One thread that looks while something is watched."""

    def __init__(
        self,
        measure: Callable[[], int] = anonymous_bytes,
        end_process: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self._measure = measure
        self._end_process = end_process
        self._watched: Watched | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mobula-memory", daemon=True)
        self._thread.start()

    @property
    def current_bytes(self) -> int:
        """What the process takes now."""
        return self._measure()

    @contextlib.contextmanager
    def over(self, limit_bytes: int | None) -> Iterator[Watched]:
        """Watch until the end of the block; one at a time. Call it in an event loop.

        A block that ends in an error after the limit was passed has not ended what it began: then
        the process ends, unless somebody else ends it before.

        Args: limit_bytes: of the process; None: only look.
        """
        self._loop = asyncio.get_running_loop()
        watched = Watched(limit_bytes, self._loop.create_future(), self._measure())
        self._watched = watched
        self._wanted.set()
        try:
            yield watched
        except BaseException:
            if not watched.exceeded.done():
                self._end(watched)
            raise
        self._end(watched)

    def _end(self, watched: Watched) -> None:
        watched.over = True
        watched.exceeded.cancel()
        watched.peak_bytes = max(watched.peak_bytes, self._measure())
        if self._watched is watched:
            self._watched = None

    def _run(self) -> None:
        pause = threading.Event()
        idle = 0
        while True:
            self._wanted.wait()
            watched, loop = self._watched, self._loop
            if watched is None or loop is None:
                idle += 1
                if idle >= IDLE_LOOKS:
                    self._wanted.clear()
                    if self._watched is not None:  # it came just now
                        self._wanted.set()
                    idle = 0
                pause.wait(LOOK_S)
                continue
            idle = 0
            found = self._measure()
            watched.peak_bytes = max(watched.peak_bytes, found)
            if watched.limit_bytes is not None and found > watched.limit_bytes:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(_tell, watched, found)
                if not self._is_over(watched, pause):
                    self._end_process()
                    return
            pause.wait(LOOK_S)

    def _is_over(self, watched: Watched, pause: threading.Event) -> bool:
        """Whether it ends before the process has to."""
        for _ in range(int(LAST_WORDS_S / LOOK_S)):
            if watched.over:
                return True
            pause.wait(LOOK_S)
        return watched.over


def _tell(watched: Watched, found_bytes: int) -> None:
    if not watched.exceeded.done():
        watched.exceeded.set_result(found_bytes)
