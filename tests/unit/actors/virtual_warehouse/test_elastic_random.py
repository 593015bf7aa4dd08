"""A virtual warehouse under random queries, deaths, settings and orders: nothing lost, none stuck.

`Stage` and its workers check as they go that a worker has one query at a time and that none is
given back while it is busy.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from storage.errors import (
    Cancelled,
    InvalidRequest,
    MobulaError,
    OutOfMemory,
    Unavailable,
    WorkerExhausted,
)
from tests.unit.actors.virtual_warehouse.elastic_stage import Stage, playing, settle

STEPS = 150


class Storm:
    """One seed's worth of accidents."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage = stage
        self.chance = chance
        self.asked: dict[str, asyncio.Task[int]] = {}
        self.orders: list[asyncio.Task[None]] = []

    async def step(self) -> None:
        acts = [self.ask, self.ask, self.finish, self.finish, self.fail, self.die, self.bring]
        acts += [self.end, self.change, self.order, self.look, self.short, self.warmed]
        self.chance.choice(acts)()
        await settle(self.chance.randrange(8))
        self.check()

    def ask(self) -> None:
        name = f"q{len(self.asked)}"
        files = [f"f{self.chance.randrange(20)}" for _ in range(3)]
        self.asked[name] = self.stage.ask(
            name,
            files=files,
            priority=self.chance.randrange(3),
            memory_bytes=self.chance.choice([None, 1 << 20]),
        )

    def busy(self) -> list[str]:
        found = self.stage.running()
        return [n for n, w in found.items() if w.ends is not None and not w.ends.done()]

    def finish(self) -> None:
        for name in self.busy()[: self.chance.randrange(1, 4)]:
            self.stage.running()[name].finish()

    def fail(self) -> None:
        if busy := self.busy():
            error = self.chance.choice([InvalidRequest("bad"), WorkerExhausted("too much")])
            self.stage.running()[self.chance.choice(busy)].fail(error)

    def die(self) -> None:
        if self.stage.lent and self.chance.random() < 0.4:
            worker = self.chance.choice(list(self.stage.lent.values()))
            del self.stage.lent[worker.id]
            worker.die()

    def bring(self) -> None:
        lacking = self.stage.lacking()
        if lacking > 0:
            self.stage.bring(self.chance.randint(1, lacking), warming=self.chance.random() < 0.5)

    def warmed(self) -> None:
        for worker in self.stage.made:
            if worker.warming is not None and self.chance.random() < 0.3:
                worker.warming.set()

    def end(self) -> None:
        name = f"q{self.chance.randrange(len(self.asked) + 1)}"
        if self.chance.random() < 0.5:
            self.stage.queries.cancel(name, "by chance")
        elif name in self.asked:
            self.asked[name].cancel()

    def change(self) -> None:
        size = self.chance.randint(1, 3)
        low = self.chance.randint(1, 2)
        self.stage.change(
            size=size,
            max_concurrency=self.chance.choice([None, 1]),
            min_clusters=low,
            max_clusters=low + self.chance.randrange(3),
            worker_cpus=self.chance.choice([1, 1, 2]),
            scaling_policy=self.chance.choice(["standard", "economy"]),
            auto_suspend_s=self.chance.choice([None, 1, 60]),
        )

    def order(self) -> None:
        if self.chance.random() < 0.3:
            suspending = self.stage.workers.suspend(force=self.chance.random() < 0.3)
            self.orders.append(asyncio.create_task(suspending))
        elif self.orders and self.chance.random() < 0.2:
            self.chance.choice(self.orders).cancel()
        else:
            self.stage.workers.resume()

    def look(self) -> None:
        self.stage.clock.move(self.chance.choice([10, 250, 1_000, 20_000]))
        self.stage.workers.look()

    def short(self) -> None:
        if self.chance.random() < 0.2 and self.stage.lacking() > 0:
            self.stage.workers.short("there are no nodes")

    def check(self) -> None:
        clusters = self.stage.workers.clusters
        known = {member.id for member in clusters.members if not member.gone}
        lent = {worker.id for worker in self.stage.lent.values() if not worker.gone}
        assert known == lent, "a worker is lost, or kept too long"
        busy = Counter(m.cluster for m in clusters.members if m.state == "busy")
        active = clusters._active
        limit = max(clusters.slots, self.most)
        assert all(n <= limit for number, n in busy.items() if number in active)
        # Slots may be fewer since the settings changed: what runs goes on.
        self.most = max((n for number, n in busy.items() if number in active), default=0)
        assert self.stage.wished == clusters.workers_wanted or self.stage.wishes

    most = 0

    async def calm(self) -> None:
        """No more accidents: every query ends, and all workers go back."""
        for _ in range(40 + 2 * len(self.asked)):
            for worker in self.stage.made:
                if worker.warming is not None:
                    worker.warming.set()
            if self.stage.lacking() > 0:
                self.stage.bring()
            await settle(20)
            for name in self.busy():
                self.stage.running()[name].finish()
            self.stage.clock.move(250)
            self.stage.workers.look()
            self.check()
        await settle()
        stuck = [name for name, query in self.asked.items() if not query.done()]
        assert stuck == []
        assert all(order.done() for order in self.orders)


@pytest.mark.parametrize("seed", range(80))
def test_every_query_ends_once_and_no_worker_is_lost(seed: int) -> None:
    async def test(stage: Stage) -> None:
        storm = Storm(stage, random.Random(seed))
        for _ in range(STEPS):
            await storm.step()
        await storm.calm()
        found = await asyncio.gather(*storm.asked.values(), return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException):
                expected = (Unavailable, Cancelled, OutOfMemory, InvalidRequest)
                assert isinstance(error, (*expected, asyncio.CancelledError)), error
                assert not isinstance(error, MobulaError) or isinstance(error, expected)
        records = Counter(record.query_id for record in stage.queries.records())
        assert set(records.values()) == {1}
        assert stage.queries.total == len(records)
        await stage.workers.stop(force=False)
        assert stage.lent == {}

    playing(test, size=2, max_clusters=3, max_queued=6)
