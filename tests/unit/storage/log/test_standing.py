"""Who reigns and whether it is alive: by the lock where there is one, else by the sign of life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from storage.log.epoch import Lease, claim
from storage.log.standing import PRIMARY_LOCK, Life, Standing, standing
from storage.names import alive_name
from storage.objects import CountingStore, LocalStore, MemoryStore, ObjectStore
from tests.fakes import FakeClock
from tests.unit.storage.log.reigns import owner


async def begun(store: ObjectStore, clock: FakeClock, *, epoch: int = 1, locked: bool) -> Lease:
    """Somebody reigns."""
    who = msgspec.structs.replace(owner("a"), locked=locked)
    assert await claim(store, epoch, who, clock)
    lease = Lease(store, epoch, who)
    await lease.beat()
    return lease


async def found(store: ObjectStore, clock: FakeClock) -> Standing:
    who = await standing(store, clock)
    assert who is not None
    return who


def test_nobody_has_ever_reigned(tmp_path: Path) -> None:
    async def run() -> None:
        assert await standing(MemoryStore(), FakeClock()) is None
        assert await standing(LocalStore(tmp_path / "db"), FakeClock()) is None

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


class _BeatingClock(FakeClock):
    """Something happens while somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def sleep_ms(self, duration_ms: float) -> None:
        await super().sleep_ms(duration_ms)
        if self.meanwhile is not None:
            await self.meanwhile()


@pytest.mark.parametrize(
    ("what", "life"), [("beat", Life.ALIVE), ("release", Life.RELEASED), ("", Life.SILENT)]
)
def test_without_a_lock_the_sign_of_life_is_watched(what: str, life: Life) -> None:
    async def run() -> None:
        store, clock = MemoryStore(), _BeatingClock()
        lease = await begun(store, clock, locked=False)
        clock.meanwhile = getattr(lease, what) if what else None
        who = await found(store, clock)
        assert (who.epoch, who.owner.id, who.life, who.locks) == (1, "a", life, False)
        assert who.alive == (life is Life.ALIVE)
        lease_ms = owner("a").lease_ms
        waited_ms = clock.monotonic_ms()
        assert waited_ms == lease_ms / 10 if what else lease_ms < waited_ms < 1.2 * lease_ms

    asyncio.run(run())


def test_who_has_stepped_down_is_not_watched() -> None:
    async def run() -> None:
        store, clock = CountingStore(MemoryStore()), FakeClock()
        await (await begun(store, clock, locked=False)).release()
        before = store.counts()
        assert (await found(store, clock)).life is Life.RELEASED
        assert (store.counts() - before).requests == 3
        assert clock.sleeps_ms == []

    asyncio.run(run())


def test_on_a_directory_the_lock_tells_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        store, clock = LocalStore(tmp_path), FakeClock()
        lock = store.try_lock(PRIMARY_LOCK)
        assert lock is not None
        lease = await begun(store, clock, locked=True)
        assert (await found(store, clock)).life is Life.ALIVE
        lock.release()
        assert (await found(store, clock)).life is Life.DEAD
        await lease.release()
        who = await found(store, clock)
        assert (who.life, who.locks, who.who) == (
            Life.RELEASED,
            True,
            "a at host of a (epoch 1)",
        )
        assert clock.sleeps_ms == []
        assert store.try_lock(PRIMARY_LOCK) is not None  # it was never taken

    asyncio.run(run())


@pytest.mark.parametrize("held", [True, False])
def test_who_reigns_without_the_lock_is_watched(tmp_path: Path, held: bool) -> None:
    """It was promoted beside somebody who holds it: the lock says nothing about it."""

    async def run() -> None:
        store, clock = LocalStore(tmp_path), _BeatingClock()
        lock = store.try_lock(PRIMARY_LOCK) if held else None
        lease = await begun(store, clock, locked=False)
        assert (await found(store, clock)).life is Life.SILENT
        clock.meanwhile = lease.beat
        assert (await found(store, clock)).life is Life.ALIVE
        if lock is not None:
            lock.release()

    asyncio.run(run())


def test_who_takes_over_meanwhile_is_looked_at_instead() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), _BeatingClock()
        await begun(store, clock, locked=False)

        async def take_over() -> None:
            clock.meanwhile = None
            lease = await begun(store, clock, epoch=2, locked=False)
            await lease.release()

        clock.meanwhile = take_over
        who = await found(store, clock)
        assert (who.epoch, who.life) == (2, Life.RELEASED)

    asyncio.run(run())


def test_a_sign_of_life_that_does_not_decode_counts_as_none() -> None:
    async def run() -> None:
        store, clock = MemoryStore(), FakeClock()
        await begun(store, clock, locked=False)
        await store.put(alive_name(1), b"{")
        assert (await found(store, clock)).life is Life.SILENT

    asyncio.run(run())
