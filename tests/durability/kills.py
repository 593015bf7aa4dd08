"""A writer that is killed at random moments, again and again, and what must hold of its database.

    python -m tests.durability.kills --root-kind directory --rounds 50 --seed 7
    python -m tests.durability.kills --root-kind moto --rounds 20 --seed 7 --proxy
    python -m tests.durability.kills --root-kind real --rounds 20 --seed 7 --proxy

1. Each round starts the writer (`writer.py`), waits for a moment drawn from the seed (while it
   opens, after the beginning of a flush, at any time, …) and kills it with SIGKILL. On S3 it is
   sometimes only stopped, and goes on when its successor has written: then it must be fenced.
2. The next writer begins with what the last one did not hear the outcome of, with the same tokens.
3. A reader asks meanwhile; what it saw is held against the log.
4. After every few rounds, and at the end, the database is audited without the writer (`audit.py`).
   Between audits the next writer starts at once: only then the time since the kill is measured.

With `--proxy` writer and reader reach S3 through a proxy that fails (`places.py`); the audit does
not. `real` is the server that the environment names (`tests/s3_server.py`). A summary is printed as
JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import warehouse
from storage.errors import InvalidRequest, MobulaError
from tests.durability.audit import Audit
from tests.durability.life import Life, Moment, drawn_moment
from tests.durability.places import KINDS_OF_ROOT, Place, place_of
from tests.durability.reader import Reader

KNOWN = 0.3  # how often an acknowledged token is asked for once more
FROZEN = 0.25  # how often a writer over S3 is stopped, and not killed


@dataclass(slots=True)
class Figures:
    """What is told in the end."""

    counts: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    from_start_ms: list[float] = field(default_factory=list)
    from_opening_ms: list[float] = field(default_factory=list)
    from_kill_ms: list[float] = field(default_factory=list)
    commit_ms: list[float] = field(default_factory=list)
    kill_lsns: list[int] = field(default_factory=list)

    def take(self, life: Life, killed_ms: float | None) -> None:
        """Args: killed_ms: when the writer before was killed, if this one was started at once."""
        first_ms = life.first_done_ms()
        if first_ms is not None:
            self.from_start_ms.append(first_ms - life.started_ms)
            self.from_opening_ms.append(first_ms - life.found("opening")[0]["at_ms"])
            if killed_ms is not None:
                self.from_kill_ms.append(first_ms - killed_ms)
        self.commit_ms += life.commit_ms()
        self.counts["commits"] += len(life.found("done"))
        self.counts["known tokens asked for"] += len(life.found("known"))
        self.again.update(event["error"].partition(":")[0] for event in life.found("again"))


class Run:
    """Rounds, and audits between them."""

    def __init__(
        self, place: Place, seed: int, *, rounds: int, audit_every: int, versions: int
    ) -> None:
        """Args: versions: how many are looked at in the end, beside those around kills."""
        self.place = place
        self.versions_wanted = versions
        self.rounds = rounds
        self.audit_every = audit_every
        self.source = random.Random(seed)
        self.audit = Audit(root=place.root, options=place.options, seed=seed)
        self.figures = Figures()
        self.reader = Reader(place, self.audit)
        self.repeated: list[tuple[tuple[int, int], int]] = []  # (token, epoch of who repeated it)
        self.versions = 0
        self.zombie: Life | None = None
        self._seen = 0

    def go(self) -> None:
        """All of it; what was wrong is in `audit.wrong`."""
        self.reader.start()
        killed_ms: float | None = None
        try:
            for number in range(self.rounds + 1):
                last = number == self.rounds
                moment = Moment(after="any", delay_s=0.5)
                if not last:
                    moment = drawn_moment(self.source, self.place)
                killed_ms = self._round(number, moment, killed_ms, last=last)
                if last or (number + 1) % self.audit_every == 0:
                    self._look()
                    killed_ms = None
                if self.audit.wrong:
                    break
        finally:
            self.reader.stop()
            if self.zombie is not None:
                self.zombie.kill()
        self._end()

    def _round(self, number: int, moment: Moment, killed_ms: float | None, *, last: bool) -> float:
        known, frozen = (self.source.random() < chance for chance in (KNOWN, FROZEN))
        life = Life(self.place, self.audit, known=known)
        wrote = False
        try:
            life.reach(moment)
            wrote = bool(life.found("done"))
            if wrote:
                self._thaw()
        finally:
            if frozen and wrote and not last and self.zombie is None and self.place.on_s3:
                self.zombie, found_ms = life, life.freeze()
                self.figures.counts["stopped"] += 1
            else:
                found_ms = life.kill()
                self.figures.counts["killed"] += 1
        self.figures.take(life, killed_ms)
        self.figures.counts[f"after {moment.after}"] += 1
        if life.found("reigning"):
            epoch = life.found("reigning")[0]["epoch"]
            self.repeated += [(token, epoch) for token in life.unknown]
        done = len(life.found("done"))
        sys.stderr.write(
            f"{number + 1}/{self.rounds} ended {moment.delay_s:.2f} s after {moment.after}, "
            f"{done} commits\n"
        )
        return found_ms

    def _thaw(self) -> None:
        """Somebody else has written: who was stopped goes on, and must notice."""
        if self.zombie is not None:
            self.zombie.thaw()
            self.zombie = None

    def _look(self) -> None:
        """Audit everything that is there now."""
        try:
            db = warehouse.connect(
                self.place.root, engine="local", create=False, store=self.place.options
            )
        except InvalidRequest:  # killed before there was a database
            self.audit.check_acknowledged()
            return
        with db:
            lsn = db.snapshot().lsn
            asyncio.run(self.audit.follow(lsn))
            self.figures.kill_lsns.append(lsn)
            self.audit.check_acknowledged()
            self.audit.check_rows(db)
        self._check_sightings()

    def _check_sightings(self) -> None:
        sightings = self.reader.sightings
        while self._seen < len(sightings) and sightings[self._seen].lsn <= self.audit.lsn:
            sighting = sightings[self._seen]
            self.audit.check_digest(sighting.lsn, sighting.digest, "a reader")
            newest = max(sightings[self._seen - 1].lsn if self._seen else 0, sighting.acknowledged)
            if sighting.lsn < newest:
                self.audit.wrong.append(f"a reader saw LSN {sighting.lsn} after {newest}")
            self._seen += 1

    def _end(self) -> None:
        """Once more what came late, what the reader saw last, and earlier versions."""
        self._look()
        lsns = sorted(self.audit.digests)
        around = {lsn + step for lsn in self.figures.kill_lsns for step in (-1, 0, 1, 2)}
        every = lsns[:: max(1, len(lsns) // max(1, self.versions_wanted))]
        with warehouse.connect(
            self.place.root, engine="local", create=False, store=self.place.options
        ) as db:
            self.versions = self.audit.check_versions(db, sorted({*every, *around}))
        for token, epoch in self.repeated:
            if token in self.audit.committed:
                self.figures.counts["unknown tokens repeated"] += 1
                if self.audit.epochs[self.audit.committed[token]] < epoch:
                    self.figures.counts["of these committed before the kill"] += 1

    def summary(self) -> dict[str, Any]:
        """What is printed."""
        figures = self.figures
        return {
            "root_kind": self.place.kind,
            "rounds": self.rounds,
            "seed": self.audit.seed,
            "lease_ms": self.place.lease_ms,
            **dict(sorted(figures.counts.items())),
            "log": self.audit.lsn,
            "again": dict(figures.again),
            "reader": {"answers": self._seen, **self.reader.errors},
            "versions": self.versions,
            "start_to_first_commit_ms": _quantiles(figures.from_start_ms),
            "opening_to_first_commit_ms": _quantiles(figures.from_opening_ms),
            "kill_to_first_commit_ms": _quantiles(figures.from_kill_ms),
            "commit_ms": _quantiles(figures.commit_ms),
            "violations": self.audit.wrong,
        }


def _quantiles(found: Sequence[float]) -> dict[str, float] | None:
    if not found:
        return None
    p50, p99, most = np.quantile(found, [0.5, 0.99, 1.0])
    return {"count": len(found), "p50": round(p50), "p99": round(p99), "max": round(most)}


def run(
    kind: str,
    rounds: int,
    seed: int,
    *,
    proxied: bool,
    audit_every: int = 2,
    versions: int = 200,
    kept: str | None = None,
) -> dict[str, Any]:
    """The whole thing; a summary."""
    with place_of(kind, seed, proxied=proxied, kept=kept) as (place, proxy):
        made = Run(place, seed, rounds=rounds, audit_every=audit_every, versions=versions)
        made.go()
        summary = made.summary()
        if proxy is not None:
            summary["faults"] = dict(sorted(proxy.counts.items()))
        return summary


def main() -> None:
    """Print the summary as JSON; leave with 1 if anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root-kind", choices=KINDS_OF_ROOT, default="directory")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--proxy", action="store_true")
    parser.add_argument("--audit-every", type=int, default=2, help="rounds")
    parser.add_argument("--versions", type=int, default=200, help="to look at in the end")
    parser.add_argument("--directory", help="an empty one to use and to keep, to look into later")
    chosen = parser.parse_args()
    summary = run(
        chosen.root_kind,
        chosen.rounds,
        chosen.seed,
        proxied=chosen.proxy,
        audit_every=chosen.audit_every,
        versions=chosen.versions,
        kept=chosen.directory,
    )
    sys.stdout.write(json.dumps(summary) + "\n")
    sys.exit(1 if summary["violations"] else 0)


if __name__ == "__main__":
    try:
        main()
    except MobulaError as error:
        sys.exit(f"{type(error).__name__}: {error}")
