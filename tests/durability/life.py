"""One life of the writer: its process, what it tells, and the moment of its end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from storage.objects import StoreOptions
from tests.durability.audit import Audit
from tests.durability.batches import KINDS
from tests.durability.places import Place
from tests.s3_server import S3Server

__all__ = ["CLIENTS", "Life", "Moment", "drawn_moment"]

REPOSITORY = Path(__file__).parents[2]
CLIENTS = 2
STUCK_S = 90.0
PATIENCE_S = 5.0  # for a moment that does not come
NOTICE_S = 30.0  # in which a writer that was replaced must notice

# When to kill, and how often: while Python loads, while the database opens, at any time after the
# first commit, or soon after something begins.
MOMENTS: Mapping[str, int] = {
    "loading": 1,
    "opening": 4,
    "any": 6,
    "flush": 2,
    "checkpoint": 2,
    **{kind: 1 for kind in KINDS if kind != "append"},
    "drop": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When to kill: so long after something."""

    after: str
    delay_s: float


def drawn_moment(source: random.Random, place: Place) -> Moment:
    """One of `MOMENTS`, and how long after that."""
    after = source.choices(list(MOMENTS), list(MOMENTS.values()))[0]
    on_s3 = place.on_s3
    longest_s = {
        "loading": 1.0,
        "opening": 0.7 + on_s3 * (1.5 + place.lease_ms / 1000),
        "any": 4.0 + on_s3 * 4.0,
    }.get(after, 0.3 if on_s3 else 0.04)
    return Moment(after=after, delay_s=source.uniform(0.0, longest_s))


class Life:
    """One process of the writer, from its start to its end.

    Attributes:
        events: what it has told, oldest first.
        unknown: batches that it sends although they may have been committed before.
        frozen: it was stopped for a while, and somebody else took its place.
    """

    def __init__(self, place: Place, audit: Audit, *, known: bool) -> None:
        """Args: known: it first asks for what is acknowledged already."""
        last = dict.fromkeys(range(CLIENTS), 0)
        for client, sequence in audit.acknowledged:
            last[client] = max(last[client], sequence)
        self.unknown = [(c, s + 1) for c, s in last.items() if audit.begun.get(c, 0) > s]
        self.events: list[dict[str, Any]] = []
        self.frozen = False
        self._silent = False  # it will tell nothing any more
        self.started_ms = time.monotonic() * 1000
        self._audit = audit
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it has ended)
        self._told = threading.Condition()
        sequences = ",".join(str(last[client] + 1) for client in range(CLIENTS))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.durability.writer", place.root),
                *("--seed", str(audit.seed), "--next", sequences),
                *("--lease-ms", str(place.lease_ms)),
                *("--read-timeout-ms", str(place.disturbed.read_timeout_ms)),
                *(["--known"] if known else []),
            ],
            cwd=REPOSITORY,
            env=_environment(place.disturbed),
            stdin=subprocess.PIPE,  # it ends when that closes: with us
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._told:
                    self._take(json.loads(line))
                    self._told.notify_all()
        with self._told:
            self._silent = True
            self._told.notify_all()

    def _take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        audit = self._audit
        match event["event"]:
            case "begin" if event["sequence"]:
                audit.begun[event["client"]] = max(
                    audit.begun.get(event["client"], 0), event["sequence"]
                )
            case "done" | "known":
                token = (event["client"], event["sequence"])
                lsn = audit.acknowledged.setdefault(token, event["lsn"])
                if lsn != event["lsn"]:
                    audit.wrong.append(f"repeated token {token}: LSN {event['lsn']}, not {lsn}")
            case "failed" if not (self.frozen and event["error"].startswith("Fenced")):
                audit.wrong.append(f"writer: {event}")

    def found(self, name: str) -> list[dict[str, Any]]:
        """The events of that name until now."""
        with self._told:
            return [event for event in self.events if event["event"] == name]

    def wait(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float) -> bool:
        """Wait for an event, from now on or earlier; False: it does not come."""
        seen = 0
        deadline = time.monotonic() + timeout_s
        with self._told:
            while True:
                if any(wanted(event) for event in self.events[seen:]):
                    return True
                seen = len(self.events)
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._silent:
                    return False
                self._told.wait(min(left_s, 1.0))

    def reach(self, moment: Moment) -> None:
        """Return when it is to be killed. What does not come is waited for in vain."""
        if moment.after == "opening":
            self._must(self.wait(_named("opening"), STUCK_S), "it did not load")
        elif moment.after != "loading":
            self._must(self.wait(_named("done"), STUCK_S), "nothing was committed")
        if moment.after in {*KINDS, "drop", "flush", "checkpoint"}:
            since = len(self.events)
            self.wait(
                lambda event: event in self.events[since:] and event.get("kind") == moment.after,
                PATIENCE_S,
            )
        time.sleep(moment.delay_s)

    def _must(self, came: bool, otherwise: str) -> None:
        if came:
            return
        with self._told:
            last = self.events[-1:]
        self._process.send_signal(signal.SIGUSR1)  # where its threads stand, in `errors`
        time.sleep(1.0)
        self._audit.wrong.append(
            f"{otherwise} in {STUCK_S:.0f} s; it ended with {self._process.poll()}, last: {last}; "
            f"standard error: {_end_of(self._errors)}"
        )

    def freeze(self) -> float:
        """Stop it, as a machine that is suspended. Returns the moment, in milliseconds."""
        self.frozen = True
        self._process.send_signal(signal.SIGSTOP)
        return time.monotonic() * 1000

    def thaw(self) -> None:
        """Let it go on, now that somebody else has written: it must notice, and end."""
        self._process.send_signal(signal.SIGCONT)
        if not self.wait(_named("failed"), NOTICE_S):
            self._audit.wrong.append(
                f"a writer that was replaced did not notice in {NOTICE_S:.0f} s: {self.events[-3:]}"
            )
        self.kill()

    def kill(self) -> float:
        """End it. Returns the moment, in milliseconds."""
        ended = self._process.poll()
        if ended is not None and not self.frozen:
            self._audit.wrong.append(
                f"the writer ended by itself with {ended}: {_end_of(self._errors)}"
            )
        killed_ms = time.monotonic() * 1000
        self._process.kill()
        self._process.wait()
        self._listener.join()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._errors.close()
        return killed_ms

    def first_done_ms(self) -> float | None:
        """When the first commit was acknowledged."""
        done = self.found("done")
        return done[0]["at_ms"] if done else None

    def commit_ms(self) -> list[float]:
        """How long each commit took that was acknowledged."""
        begun: dict[int, float] = {}
        found = []
        for event in self.events:
            if event["event"] == "begin":
                begun[event["client"]] = event["at_ms"]
            elif event["event"] == "done":
                found.append(event["at_ms"] - begun[event["client"]])
        return found


def _named(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == name


def _environment(options: StoreOptions) -> dict[str, str]:
    """Of the writer: how to reach the store, and no more of that than is said here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    if options.endpoint_url is None:
        return kept
    server = S3Server(
        endpoint_url=options.endpoint_url, key=options.key or "", secret=options.secret or ""
    )
    return {**kept, **server.environment()}


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace")[-8000:]
