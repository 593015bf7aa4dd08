"""What processes of Mobula's do in a simulated world: candidates for the primary, and readers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.primary.limits import CheckpointPolicy, KeyedLimits
from actors.primary.primary import Primary
from actors.primary.reign import reign_of
from actors.virtual_warehouse.claim import Claim
from actors.virtual_warehouse.follower import Follower
from storage.collection.policy import RetentionPolicy
from storage.compaction_policy import CompactionPolicy
from storage.errors import Conflict, CorruptData, Fenced, MobulaError, ObjectMissing, Unavailable
from storage.flush_policy import FlushPolicy
from storage.format import open_or_create, read_format
from storage.log.epoch import Owner
from storage.snapshot.apply import tso_ms
from storage.snapshot.model import Snapshot
from tests.simulation.node import Node
from tests.simulation.world import LEASE_MS, World

__all__ = ["candidate", "opened", "reader"]

KEPT = 3  # snapshots that a reader comes back to
FOLLOW_MS = 20_000
PINNED_S = 25.0  # of what a claim lasts in a simulation, less what clocks may differ by


async def candidate(world: World, node: Node) -> None:
    """Becomes the primary if nobody is, serves until it is replaced, and begins again."""
    while True:
        found = await opened(world, node)
        if found is None:
            await node.clock.sleep_ms(node.rng.uniform(100, 3_000))
            continue
        world.happened["reigns"] += 1
        found.start()
        node.serves = found
        while found.stopped is None:
            await node.clock.sleep_ms(500)
        node.serves = None
        await found.close()
        node.let_go()


async def opened(world: World, node: Node, *, force: bool = False) -> Primary | None:
    """A new primary of the world, which does not serve yet; None: not now.

    Args: force: whoever reigns.
    """
    owner = Owner(
        id=node.role if node.rng.random() < 0.5 else node.name,
        nonce=node.ids.new(),
        address=node.name,
        lease_ms=LEASE_MS,
    )
    impatient = not world.healed and node.rng.random() < world.case.impatience
    try:
        found = await open_or_create(node.store, node.ids, node.clock)
        node.database_id = found.database_id
        reign, node.lock = await reign_of(
            node.store,
            node.reader(),
            owner=owner,
            clock=node.clock,
            ids=node.ids,
            force=force or impatient,
        )
    except (Unavailable, Fenced, CorruptData, Conflict):
        return None
    policy = random.Random(f"policy {world.case.seed}")
    primary = Primary(
        reign,
        store=node.store,
        clock=node.clock,
        ids=node.ids,
        policy=CheckpointPolicy(tail_groups_max=policy.choice([2, 5, 20, 300])),
        keyed=KeyedLimits(
            flush=FlushPolicy(
                rows_max=policy.choice([8, 20, 200]), deltas_max=policy.choice([2, 5, 50])
            ),
            compaction=_compaction(policy),
        ),
        retention=_retention(policy),
    )
    world.primaries.append((node, primary))
    return primary


def _compaction(policy: random.Random) -> CompactionPolicy:
    """Often, seldom, or only when it is asked for: files and runs then gather."""
    if policy.random() < 0.4:
        return CompactionPolicy(holes_max=2.0, depth_max=1 << 30, small_files_max=1 << 30)
    return CompactionPolicy(
        holes_max=policy.choice([0.01, 0.3, 0.3]),
        task_files_max=policy.choice([1, 16]),
        depth_max=policy.choice([1, 2, 8]),
        merge_rows_max=policy.choice([40, 1_000]),
        fan_in=2,
        small_files_max=policy.choice([2, 4, 8]),
    )


def _retention(policy: random.Random) -> RetentionPolicy:
    """Days become seconds; some collect only when they are asked to."""
    return RetentionPolicy(
        retention_ms=policy.choice([0, 500, 5_000, 30_000]),
        uploads_ms=policy.choice([2_000, 20_000]),
        follow_ms=policy.choice([0, 2_000]),
        pack_ms=policy.choice([0, 1_000, 10_000]),
        pack_groups=policy.choice([1, 3, 20]),
        checkpoint_groups_max=policy.choice([1, 10, 1_000]),
        every_ms=policy.choice([0, 1_500, 6_000]),
        uploads_every_ms=policy.choice([0, 10_000]),
    )


async def reader(world: World, node: Node) -> None:
    """Opens a snapshot, follows the log, looks back; now and then begins anew."""
    while True:
        try:
            known = world.witness.acknowledged_lsn
            node.database_id = (await read_format(node.store)).database_id
            async with _within(world, world.witness.lsn):
                snapshot = await node.reader().open()
            if snapshot.lsn < known:
                world.witness.fail("what is acknowledged is seen", f"{snapshot.lsn} < {known}")
            await _follow(world, node, snapshot)
        except MobulaError:
            await node.clock.sleep_ms(node.rng.uniform(10, 1_000))


async def _follow(world: World, node: Node, snapshot: Snapshot) -> None:
    rng, kept, witness = node.rng, [snapshot], world.witness
    poll_ms = rng.choice([0, 200, 2_000])
    follower = Follower(node.reader(), snapshot, node.clock, poll_ms=poll_ms)
    pinned = _Pinned(world, node, follower)
    running = asyncio.create_task(follower.run())
    try:
        for _ in range(rng.randrange(5, 60)):
            wanted = witness.acknowledged_lsn if rng.random() < 0.5 else None
            found = await _followed(world, follower, wanted)
            if wanted is not None and found.lsn < wanted:
                witness.fail("readers read what they wrote", f"{found.lsn} < {wanted}")
            witness.advanced(node.name, found.lsn)
            await _look(world, node, found)
            world.snapshots[node.role] = found
            kept = [*kept[-KEPT:], found]
            if rng.random() < 0.2:
                await _look(world, node, rng.choice(kept))
            if world.case.seed % 3 == 0 and rng.random() < 0.5:
                await pinned.look(kept[0])
            if rng.random() < 0.1:
                await _look_back(world, node, found)
            await node.clock.sleep_ms(rng.uniform(0, 500 + world.loop.time() * 50))
        await pinned.release()  # who is interrupted leaves its pin
    finally:
        running.cancel()


async def _look_back(world: World, node: Node, newest: Snapshot) -> None:
    """AS OF an LSN, or a time."""
    witness, lsn = world.witness, node.rng.randrange(newest.horizon, newest.lsn + 1)
    async with _within(world, lsn):
        if lsn and node.rng.random() < 0.5:
            at_ms = tso_ms(witness.headers[lsn - 1].tso)
            lsn = await node.reader().lsn_at(at_ms, newest)
            rightly = max(h.lsn for h in witness.headers[: newest.lsn] if tso_ms(h.tso) <= at_ms)
            if lsn != rightly:
                witness.fail("the past is what it was", f"at {at_ms} ms: {lsn}, not {rightly}")
        found = await node.reader().open(lsn)
    if found.lsn != lsn:
        witness.fail("the past is what it was", f"asked for {lsn}, got {found.lsn}")
    await _look(world, node, found)


async def _followed(world: World, follower: Follower, wanted: int | None) -> Snapshot:
    """Once nothing fails any more, whoever follows the log comes to its end."""
    healed = world.healed
    try:
        return await follower.latest(wanted, FOLLOW_MS)
    except Unavailable as error:
        if healed and wanted is not None:
            world.witness.fail("whoever follows the log comes to its end", str(error))
        raise


class _Pinned:
    """A version that a reader has claimed and comes back to."""

    def __init__(self, world: World, node: Node, follower: Follower) -> None:
        self._world = world
        self._node = node
        self._follower = follower
        self._claimed: Snapshot | None = None
        self._until_s = 0.0
        self._over_s = 0.0  # when the claim ends
        self._claim = Claim(
            node.store,
            clock=node.clock,
            ids=node.ids,
            holder=node.name,
            oldest=lambda _: self._claimed and self._claimed.lsn,
        )

    async def release(self) -> None:
        """Claim nothing any more."""
        self._claimed = None
        await self._claim.release()

    async def look(self, oldest: Snapshot) -> None:
        """At what is claimed; after a while `oldest` is."""
        now_s = self._world.loop.time()
        if self._claimed is not None and now_s < self._until_s:
            await _look(self._world, self._node, self._claimed, pinned_until_s=self._over_s)
            return
        self._claimed, self._until_s, self._over_s = oldest, now_s, now_s + PINNED_S
        await self._claim.look()
        newest = await self._follower.advance(surely=True)
        if newest.horizon <= oldest.lsn:  # the claim came in time
            self._until_s = now_s + PINNED_S * self._node.rng.random()


async def _look(
    world: World, node: Node, snapshot: Snapshot, *, pinned_until_s: float | None = None
) -> None:
    """Read all that a snapshot holds."""
    async with _within(world, snapshot.lsn, pinned_until_s):
        if pinned_until_s is not None or node.rng.random() < 0.2:
            world.refuse_missing(snapshot.tables.values())
        contents = await world.contents.of(snapshot, node.fetched)
    world.witness.read(node.name, snapshot, contents)


@asynccontextmanager
async def _within(
    world: World, lsn: int, pinned_until_s: float | None = None
) -> AsyncIterator[None]:
    """Whatever is missing there must be of versions that the horizon has passed, and that nobody
    has pinned: a claim may end while its reader stands still."""
    try:
        yield
    except ObjectMissing as error:
        pinned = pinned_until_s is not None and world.loop.time() < pinned_until_s
        if pinned and not world.happened["jump"]:
            world.witness.fail("what is pinned can be read", f"{lsn}: {error}")
        if lsn >= world.witness.past.horizon and not world.spoilt:
            world.witness.fail("versions from the horizon on can be read", f"{lsn}: {error}")
        raise
