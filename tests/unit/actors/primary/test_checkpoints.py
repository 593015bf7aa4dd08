"""Checkpoints take turns: what has not changed is not written again, and never shared by two."""

from __future__ import annotations

import asyncio
import itertools

from actors.operations import WriteMode
from storage.snapshot.checkpoint import CheckpointInfo, read_checkpoint
from tests.unit.actors.primary.keyed import PRIMARY, Keyed, keyed


def parts(info: CheckpointInfo) -> set[str]:
    return {reference.name for _, reference in info.parts.values()}


def test_each_uses_parts_of_the_last_but_one() -> None:
    async def test(db: Keyed) -> None:
        for name in ("a", "b"):
            await db.create(PRIMARY, name=name)
        puts, made = [], []
        for turn in range(6):
            if turn == 4:
                await db.write(WriteMode.INSERT, (1, 1, "x"))  # to t alone
            before = db.store.counts().put
            made.append(await db.primary.checkpoint())
            puts.append(db.store.counts().put - before)
        assert puts == [4, 4, 1, 1, 2, 2]
        for one, after in itertools.pairwise(made):
            assert not parts(one) & parts(after)
        for info in made:
            snapshot = await read_checkpoint(db.store, info.name)
            assert snapshot.lsn == info.lsn
            assert len(snapshot.tables) == 3
        assert await read_checkpoint(db.store, made[-1].name) == db.snapshot
        assert db.primary.status()["checkpoint_lsn"] == db.snapshot.lsn

    keyed(test, PRIMARY)


def test_two_at_once_share_nothing_either() -> None:
    async def test(db: Keyed) -> None:
        made = [await db.primary.checkpoint()]
        made += await asyncio.gather(*(db.primary.checkpoint() for _ in range(3)))
        by_name = sorted(made, key=lambda info: info.name)
        assert len({info.name for info in by_name}) == 4
        assert [len(parts(a) & parts(b)) for a, b in itertools.pairwise(made)] == [0] * 3

    keyed(test, PRIMARY)
