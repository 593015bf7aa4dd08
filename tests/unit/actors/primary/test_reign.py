"""A directory's lock: held by a primary, held by nobody, asked for by somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.primary.promotion import promote_for_a_moment
from actors.primary.reign import reign_of
from storage.errors import Fenced, Unavailable
from storage.log.standing import PRIMARY_LOCK, Life, standing
from storage.log.takeover import Reign
from storage.objects import CountingStore, HeldLock, LocalStore
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import empty_group, owner, reader_of


class Clock(FakeClock):
    """Something happens while somebody sleeps."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    async def sleep_ms(self, duration_ms: float) -> None:
        self.meanwhile()
        await super().sleep_ms(duration_ms)


async def begun(
    path: Path, name: str, clock: FakeClock | None = None, *, force: bool = False
) -> tuple[Reign, HeldLock | None]:
    store = CountingStore(LocalStore(path))
    return await reign_of(
        store,
        reader_of(store),
        owner=owner(name),
        clock=clock or FakeClock(),
        ids=CountedIds(name),
        force=force,
    )


def test_who_only_asks_for_the_lock_refuses_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        asking = LocalStore(tmp_path).try_lock(PRIMARY_LOCK)
        assert asking is not None
        reign, lock = await begun(tmp_path, "a", Clock(asking.release))
        assert reign.owner.locked
        assert lock is not None
        lock.release()

    asyncio.run(run())


def test_a_lock_that_stays_held_is_refused_soon(tmp_path: Path) -> None:
    async def run() -> None:
        _, lock = await begun(tmp_path, "a")
        clock = FakeClock()
        with pytest.raises(Unavailable, match="has a primary: a at host of a"):
            await begun(tmp_path, "b", clock)
        assert clock.moved_ms < 100
        assert lock is not None
        lock.release()

    asyncio.run(run())


@pytest.mark.parametrize("held", [True, False])
def test_promoted_for_a_moment(tmp_path: Path, held: bool) -> None:
    """Whoever reigned is fenced, and whoever comes next need not wait."""

    async def run() -> None:
        old, lock = await begun(tmp_path, "a")
        assert lock is not None
        if not held:
            lock.release()
        store, clock = CountingStore(LocalStore(tmp_path)), FakeClock()
        made = await promote_for_a_moment(
            store, reader_of(store), owner=owner("b"), clock=clock, ids=CountedIds("b")
        )
        assert (made.epoch, made.lsn, made.reigns) == (2, 2, False)
        assert made.before == old.owner
        assert made.owner.locked is not held
        assert made.took_ms is not None
        with pytest.raises(Fenced, match="b in epoch 2"):
            await old.writer.append(empty_group(old.snapshot, "a"))
        found = await standing(LocalStore(tmp_path), clock)
        assert found is not None
        assert found.life is Life.RELEASED
        before_ms = clock.monotonic_ms()
        third, _ = await begun(tmp_path, "c", clock)
        assert third.epoch == 3
        assert clock.monotonic_ms() - before_ms < 100
        lock.release()

    asyncio.run(run())


def test_promoted_where_nobody_ever_reigned(tmp_path: Path) -> None:
    async def run() -> None:
        store = CountingStore(LocalStore(tmp_path))
        made = await promote_for_a_moment(
            store, reader_of(store), owner=owner("a"), clock=FakeClock(), ids=CountedIds("a")
        )
        assert (made.before, made.epoch, made.lsn) == (None, 1, 1)

    asyncio.run(run())
