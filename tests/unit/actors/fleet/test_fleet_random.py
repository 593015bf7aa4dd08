"""The fleet under random deaths, delays and wishes: nothing lent twice, nothing leaked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from actors.compute.workers import WorkerLost
from storage.errors import MobulaError
from tests.unit.actors.fleet.stage import LARGE, SMALL, FakeProcess, Stage, playing, settle

NAMES = ("a", "b", "c")
FLOORS = {SMALL: 1, "coordinator": 1}


class Storm:
    """One seed's worth of accidents."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage = stage
        self.chance = chance
        self.asking: list[asyncio.Task[object]] = []
        stage.host.pauses = lambda: chance.randrange(6)

    async def step(self) -> None:
        acts = [self.wish, self.wish, self.give_back, self.dismiss, self.kill, self.start, self.ask]
        await self.chance.choice([*acts, self.stop, self.wait])()
        await settle(self.chance.randrange(12))
        self.check()

    def leaders(self) -> list[FakeProcess]:
        found = self.stage.fleet.running().values()
        return [leader for leader in found if leader.alive]

    async def ask(self) -> None:
        name = self.chance.choice(NAMES)
        self.asking.append(asyncio.create_task(self.stage.fleet.coordinator(name)))

    async def wish(self) -> None:
        for leader in self.leaders():
            shape = self.chance.choice([SMALL, SMALL, LARGE])
            self.stage.wish(leader, self.chance.randrange(4), shape)

    async def give_back(self) -> None:
        for leader in self.leaders():
            if leader.workers:
                worker = self.chance.choice(list(leader.workers.values()))
                self.stage.give_back(leader, worker)

    async def dismiss(self) -> None:
        for leader in self.leaders():
            if leader.workers:
                worker = self.chance.choice(list(leader.workers.values()))
                del leader.workers[worker.id]
                worker.die()
                self.stage.fleet.dismiss(leader.id, worker.id, "cancelled")
                return

    async def kill(self) -> None:
        alive = [process for process in self.stage.host.processes if process.alive]
        if alive and self.chance.random() < 0.5:
            self.chance.choice(alive).die()

    async def start(self) -> None:
        self.stage.host.holding = self.chance.random() < 0.3
        for process in self.stage.host.processes:
            if process.alive and self.chance.random() < 0.7:
                process.start()
        for worker in self.stage.host.processes:
            worker.busy = self.chance.random() < 0.2

    async def stop(self) -> None:
        if self.chance.random() < 0.3:
            stopping = self.stage.fleet.stop(self.chance.choice(NAMES), force=True)
            self.asking.append(asyncio.create_task(stopping))

    async def wait(self) -> None:
        self.stage.clock.move(self.chance.choice([50, 500, 2_000]))

    def check(self) -> None:
        """No worker has two owners that live."""
        owned = Counter(
            worker.id
            for leader in self.stage.host.alive("coordinator")
            for worker in leader.workers.values()
            if worker.alive
        )
        twice = [worker for worker, owners in owned.items() if owners > 1]
        assert not twice

    async def calm(self) -> None:
        """No more accidents: everything gets what it wishes."""
        self.stage.host.holding = False
        self.stage.host.pauses = lambda: 0
        for _ in range(20):
            for process in self.stage.host.processes:
                if process.alive:
                    process.start()
            await settle()
            await self.stage.move(1_000)
        found = await asyncio.gather(*self.asking, return_exceptions=True)
        errors = [error for error in found if isinstance(error, BaseException)]
        assert all(isinstance(error, MobulaError | WorkerLost) for error in errors), errors
        for leader in self.leaders():
            self.stage.wish(leader, 2)
            extra = list(leader.workers.values())
            self.stage.give_back(leader, *extra)
            await settle()
        await self.stage.move(8_000)

    def check_calm(self) -> None:
        self.check()
        leaders = self.leaders()
        assert {leader.leads for leader in leaders} == set(self.stage.fleet.running())
        for leader in leaders:
            have = [worker for worker in leader.workers.values() if worker.alive]
            assert [worker.shape for worker in have] == [SMALL, SMALL]
            assert {worker.lent_to for worker in have} == {leader.leads}
        assert len(self.stage.host.alive(SMALL)) == 2 * len(leaders) + 1
        assert len(self.stage.host.alive(LARGE)) == 0
        assert len(self.stage.host.alive("coordinator")) == len(leaders) + 1


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lent_twice_and_nothing_leaks(seed: int) -> None:
    async def test(stage: Stage) -> None:
        storm = Storm(stage, random.Random(seed))
        for _ in range(60):
            await storm.step()
        await storm.calm()
        storm.check_calm()

    playing(test, floors=FLOORS)


@pytest.mark.parametrize("seed", range(20))
def test_closing_in_the_middle_of_it_ends_everything(seed: int) -> None:
    async def test(stage: Stage) -> None:
        storm = Storm(stage, random.Random(1_000 + seed))
        for _ in range(seed * 2):
            await storm.step()
        await stage.fleet.close()
        await settle()
        stage.check_ended()
        await asyncio.gather(*storm.asking, return_exceptions=True)

    playing(test, floors=FLOORS)
