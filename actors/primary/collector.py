"""Garbage collection: what no version within the retention needs goes, in an order that is safe
wherever it stops (`docs/retention.md`).

1. Log the horizon: versions below it are no longer opened.
2. Then list the pins: whoever has pinned a version since has seen the horizon.
3. Log which objects go: no commit may name them from now on.
4. Delete them, and log that they are deleted.
5. Delete uploads that began before a floor which the log has: no commit may name them either.
   What writers have put together and never made an object goes by its age alone.
6. Pack the log, delete the oldest of it, and checkpoints that are not needed.

What a collection has left undone is done by the next one, of whichever primary.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.messages import Transaction
from actors.operations import Collect
from actors.primary.checkpoints import Checkpoints
from actors.primary.sequencer import Sequencer
from storage.clock import Clock
from storage.collection.boundaries import Boundaries, boundaries
from storage.collection.doomed import Doomed, Why, due_graves, lost_uploads
from storage.collection.old_log import OldLog
from storage.collection.pins import ListedPin, list_pins
from storage.collection.policy import HOUR_MS, RetentionPolicy
from storage.collection.roots import Checkpoints as Listed
from storage.collection.roots import Root, Roots
from storage.errors import MobulaError
from storage.names import DATA_PREFIX, INDEX_PREFIX, checkpoint_lsn
from storage.objects import ObjectInfo, ObjectStore, StagingStore
from storage.snapshot.apply import tso_ms
from storage.snapshot.checkpoint import ROOT

__all__ = ["Collected", "Collector"]

AT_ONCE = 16  # objects that are deleted at a time
NAMES_MAX = 10_000  # of one record
NO_LIMIT = 1 << 62


@dataclass(slots=True, kw_only=True)
class Collected:
    """What a collection has deleted, or would delete.

    Attributes:
        horizon: the oldest version that can be read.
        pinned: by whom versions are held that could go else, and from which LSN on.
    """

    horizon: int
    doomed: list[Doomed] = field(default_factory=list)
    pinned: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of all objects whose size is known."""
        return sum(one.size_bytes or 0 for one in self.doomed)


class Collector:
    """Of one primary; one event loop."""

    def __init__(
        self,
        store: ObjectStore,
        sequencer: Sequencer,
        checkpoints: Checkpoints,
        *,
        clock: Clock,
        policy: RetentionPolicy,
        written: Callable[[int], None] = lambda size_bytes: None,
    ) -> None:
        """Args: written: hears of bytes that were written."""
        self._store = store
        self._sequencer = sequencer
        self._checkpoints = checkpoints
        self._clock = clock
        self._policy = policy
        # the least LSN that a query of the primary's own compute reads at
        self.oldest_query: Callable[[], int | None] = lambda: None
        self.staging: StagingStore | None = None  # where writers that died leave something
        self._roots = Roots(store)
        snapshot = sequencer.snapshot
        self._old_log = OldLog(
            store, snapshot.database_id, snapshot.branch_id, policy, sequencer.confirm, written
        )
        self._busy = asyncio.Lock()
        self._uploads_ms = clock.monotonic_ms()  # when uploads were looked at
        self.deleted_objects = 0
        self.deleted_bytes = 0
        self._held: Counter[int] = Counter()  # LSNs
        self._pinned: tuple[str, ...] = ()  # when it looked last
        self.last_error: MobulaError | None = None

    async def run(self) -> None:
        """Every now and then, until cancelled. What fails is tried again next time."""
        while self._policy.every_ms:
            await self._clock.sleep_ms(self._policy.every_ms)
            try:
                policy = self._own_policy()
                await self._checkpoint_if_idle(policy)
                now_ms = self._clock.monotonic_ms()
                uploads = now_ms - self._uploads_ms >= self._policy.uploads_every_ms
                await self.collect(policy, uploads=uploads)
                if uploads:
                    self._uploads_ms = now_ms
                self.last_error = None
            except MobulaError as error:
                self.last_error = error

    def status(self) -> dict[str, Any]:
        """For that of the primary."""
        snapshot = self._sequencer.snapshot
        objects = [one for grave in snapshot.graveyard for one in grave.objects]
        return {
            "horizon": snapshot.horizon,
            "past_files": len(objects),
            "past_bytes": sum(one.size_bytes for one in objects),
            "deleted_objects": self.deleted_objects,
            "deleted_bytes": self.deleted_bytes,
            "pinned": list(self._pinned),
        }

    async def vacuum(
        self, *, retention_ms: int | None = None, uploads_ms: int | None = None, dry_run: bool
    ) -> Collected:
        """Collect now.

        Args:
            retention_ms, uploads_ms: others than those of the policy.
            dry_run: say what would go; nothing is logged and nothing is deleted.
        """
        async with self._sequencer.until_stopped():
            return await self._vacuum(retention_ms, uploads_ms, dry_run)

    async def _vacuum(
        self, retention_ms: int | None, uploads_ms: int | None, dry_run: bool
    ) -> Collected:
        changed = {"retention_ms": retention_ms, "uploads_ms": uploads_ms}
        policy = dataclasses.replace(
            self._own_policy(),
            **{name: value for name, value in changed.items() if value is not None},
        )
        if dry_run:
            return await self._looked(policy)
        await self._checkpoint_if_behind()
        return await self.collect(policy, uploads=True)

    async def collect(self, policy: RetentionPolicy, *, uploads: bool) -> Collected:
        """One collection. Args: uploads: look for those that were given up, too.

        Raises: what the store and the sequencer raise; what is done is done.
        """
        async with self._busy:
            self._sequencer.refuse_away()
            bounds, listed = await self._bounds(policy)
            if bounds.horizon > self._sequencer.snapshot.horizon:
                await self._log(Collect(horizon=bounds.horizon))
            pins = await list_pins(self._store)
            found = Collected(horizon=bounds.horizon, pinned=self._holders(pins))
            try:
                await self._delete_left(found, self._unread_until(bounds.horizon, pins))
                if uploads:
                    await self._delete_uploads(found, bounds.upload_floor)
                await self._delete(found, self._over(pins))
                async for gone in self._old_log.collect(bounds):
                    found.doomed.append(gone)
                await self._delete_checkpoints(found, listed, bounds)
                if uploads:
                    await self._delete_staged(found, policy)
            finally:
                self.deleted_objects += len(found.doomed)
                self.deleted_bytes += found.size_bytes
            return found

    async def _looked(self, policy: RetentionPolicy) -> Collected:
        """What `vacuum` would delete."""
        bounds, listed = await self._bounds(policy, with_next=True)
        snapshot, pins = self._sequencer.snapshot, await list_pins(self._store)
        found = Collected(horizon=bounds.horizon, pinned=self._holders(pins))
        planned = sorted(snapshot.planned)
        found.doomed += (Doomed(name=n, size_bytes=None, why=Why.PLANNED) for n in planned)
        until = self._unread_until(bounds.horizon, pins)
        found.doomed += due_graves(snapshot, until=until, runs_until=self._oldest_read())
        objects = await self._objects()
        found.doomed += lost_uploads(objects, self._sequencer.snapshot, bounds.upload_floor)
        found.doomed += await self._staged(policy)
        found.doomed += self._over(pins)
        found.doomed += [gone async for gone in self._old_log.due(bounds)]
        behind = not listed.roots or listed.roots[-1].lsn < snapshot.lsn
        checkpoints = self._checkpoints
        reused = (
            checkpoints.parts_to_reuse_after(snapshot) if behind else checkpoints.parts_to_reuse()
        )
        found.doomed += (one for one in _needless(listed, bounds) if one.name not in reused)
        return found

    def _own_policy(self) -> RetentionPolicy:
        return self._policy.with_settings(self._sequencer.snapshot.settings)

    # --- how far ----------------------------------------------------------------------------------

    async def _bounds(
        self, policy: RetentionPolicy, *, with_next: bool = False
    ) -> tuple[Boundaries, Listed]:
        """And the checkpoints: those that are relied on have been read back.

        Args: with_next: as if a checkpoint were written now.
        """
        snapshot = self._sequencer.snapshot
        listed = await self._roots.listed()
        roots, whole = list(listed.roots), set[Root]()
        if with_next and (not roots or roots[-1].lsn < snapshot.lsn):
            now_ms = tso_ms(snapshot.tso)
            following = Root(name="", lsn=snapshot.lsn, written_ms=now_ms, parts=frozenset())
            roots.append(following)
            whole.add(following)
        limit = min([*snapshot.tags.values(), *snapshot.branch_pins.values(), NO_LIMIT])

        def found(among: Sequence[Root]) -> Boundaries:
            return boundaries(
                among,
                policy,
                self._clock.now_ms(),
                horizon=snapshot.horizon,
                limit=limit,
                floor=snapshot.upload_floor,
            )

        every = tuple(roots)
        while True:
            bounds = found(roots)
            unknown = [root for root in bounds.relied_on if root not in whole]
            if not unknown:
                doubtful = tuple(root for root in found(every).kept if root not in roots)
                return dataclasses.replace(bounds, doubtful=doubtful), listed
            for root in unknown:
                if await self._roots.is_whole(root):
                    whole.add(root)
                else:
                    roots.remove(root)

    def _oldest_read(self) -> int:
        """The least LSN that somebody in this process reads at."""
        query = self.oldest_query()
        oldest = min([self._sequencer.oldest_read(), *self._held])
        return oldest if query is None else min(oldest, query)

    @contextlib.contextmanager
    def holding_the_past(self) -> Iterator[None]:
        """While it lasts, all that can be read now stays."""
        lsn = self._sequencer.snapshot.horizon
        self._held[lsn] += 1
        try:
            yield
        finally:
            self._held -= Counter([lsn])

    def _unread_until(self, horizon: int, pins: Iterable[ListedPin]) -> int:
        """No version before that LSN is read by anybody."""
        now_ms = self._clock.now_ms()
        claimed = [pin.lsn for pin in pins if not pin.is_over(now_ms)]
        return min([horizon, self._oldest_read(), *claimed])

    def _holders(self, pins: Iterable[ListedPin]) -> tuple[str, ...]:
        now_ms = self._clock.now_ms()
        self._pinned = tuple(
            f"{pin.name}: LSN {pin.lsn}, {pin.pin.holder}"
            if pin.pin is not None
            else f"{pin.name}: it does not decode; delete it if no reader uses it"
            for pin in pins
            if not pin.is_over(now_ms)
        )
        return self._pinned

    def _over(self, pins: Iterable[ListedPin]) -> list[Doomed]:
        now_ms = self._clock.now_ms()
        return [
            Doomed(name=pin.name, size_bytes=pin.size_bytes, why=Why.PIN)
            for pin in pins
            if pin.is_over(now_ms)
        ]

    async def _checkpoint_if_behind(self) -> None:
        """The horizon moves from checkpoint to checkpoint."""
        roots = (await self._roots.listed()).roots
        if not roots or roots[-1].lsn < self._sequencer.snapshot.lsn:
            await self._checkpoints.write()

    async def _checkpoint_if_idle(self, policy: RetentionPolicy) -> None:
        """The same where nothing was written for so long that nothing of the past is to be kept,
        but something would go."""
        snapshot = self._sequencer.snapshot
        quiet_ms = self._clock.now_ms() - tso_ms(snapshot.tso)
        if snapshot.graveyard and quiet_ms >= policy.retention_ms:
            await self._checkpoint_if_behind()

    # --- what goes --------------------------------------------------------------------------------

    async def _delete_left(self, found: Collected, until: int) -> None:
        """What has left the tables, and what an earlier collection has left."""
        snapshot = self._sequencer.snapshot
        planned = sorted(snapshot.planned)
        await self._delete_planned(
            found, [Doomed(name=n, size_bytes=None, why=Why.PLANNED) for n in planned]
        )
        due = list(due_graves(snapshot, until=until, runs_until=self._oldest_read()))
        for start in range(0, len(due), NAMES_MAX):
            some = due[start : start + NAMES_MAX]
            await self._log(Collect(planned=tuple(one.name for one in some)))
            await self._delete_planned(found, some)

    async def _delete_planned(self, found: Collected, doomed: Sequence[Doomed]) -> None:
        await self._delete(found, doomed)
        for start in range(0, len(doomed), NAMES_MAX):
            some = doomed[start : start + NAMES_MAX]
            await self._log(Collect(ended=tuple(one.name for one in some)))

    async def _delete_uploads(self, found: Collected, floor: int) -> None:
        objects = await self._objects()
        if not any(lost_uploads(objects, self._sequencer.snapshot, floor)):
            return
        if floor > self._sequencer.snapshot.upload_floor:
            await self._log(Collect(upload_floor=floor))
        await self._delete(found, list(lost_uploads(objects, self._sequencer.snapshot, floor)))

    async def _objects(self) -> list[ObjectInfo]:
        prefixes = (DATA_PREFIX, INDEX_PREFIX)
        return [entry for prefix in prefixes async for entry in self._store.list(prefix)]

    async def _staged(self, policy: RetentionPolicy) -> list[Doomed]:
        if self.staging is None:
            return []
        before_ms = self._clock.now_ms() - max(policy.uploads_ms, HOUR_MS)
        return [
            Doomed(name=one.name, size_bytes=one.size_bytes, why=Why.STAGED)
            for one in await self.staging.abandoned(before_ms=before_ms)
        ]

    async def _delete_staged(self, found: Collected, policy: RetentionPolicy) -> None:
        for one in await self._staged(policy):
            assert self.staging is not None
            await self.staging.discard(one.name)
            found.doomed.append(one)

    async def _delete_checkpoints(
        self, found: Collected, listed: Listed, bounds: Boundaries
    ) -> None:
        """No checkpoint is written meanwhile: it would use parts of earlier ones. Where somebody
        else reigns, so would his."""
        async with self._checkpoints.none_is_written():
            reused = self._checkpoints.parts_to_reuse()
            if any(one.name not in reused for one in _needless(listed, bounds)):
                await self._sequencer.confirm()
                listed = await self._roots.listed()  # the root of one that was given up may be late
                doomed = [one for one in _needless(listed, bounds) if one.name not in reused]
                roots: list[Doomed] = []
                parts: list[Doomed] = []
                for one in doomed:
                    (roots if one.name.endswith(f"/{ROOT}") else parts).append(one)
                await self._delete(found, roots)  # first: no root without its parts
                await self._delete(found, parts)

    async def _delete(self, found: Collected, doomed: Sequence[Doomed]) -> None:
        for start in range(0, len(doomed), AT_ONCE):
            some = doomed[start : start + AT_ONCE]
            await asyncio.gather(*(self._delete_one(one.name) for one in some))
            found.doomed += some

    async def _delete_one(self, name: str) -> None:
        await self._store.delete(name)

    async def _log(self, operation: Collect) -> None:
        await self._sequencer.submit(Transaction(operations=(operation,)))


def _needless(listed: Listed, bounds: Boundaries) -> list[Doomed]:
    """Objects of checkpoints that are not kept, and parts that no root names. What is newer than
    the second newest checkpoint may be one that is being written. As long as a root does not
    decode, which may pass, nobody knows its parts: then all parts stay."""
    unknown = {name for name in listed.bad if checkpoint_lsn(name) > bounds.log_until}
    kept = {root.name for root in (*bounds.kept, *bounds.doubtful)} | unknown
    needed = kept | {part for root in listed.roots if root.name in kept for part in root.parts}
    second = bounds.kept[-2].lsn if len(bounds.kept) > 1 else 0
    return [
        Doomed(name=entry.name, size_bytes=entry.size_bytes, why=Why.CHECKPOINT)
        for entry in listed.objects.values()
        if entry.name not in needed
        and checkpoint_lsn(entry.name) <= second
        and (not unknown or entry.name.endswith(f"/{ROOT}"))
    ]
