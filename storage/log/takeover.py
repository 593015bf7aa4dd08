"""Become the primary: take an epoch, replay the log, fence every older reign.

1. Watch the reigning owner's sign of life for one lease length on our own monotonic clock, unless
   the owner released it, is an earlier life of ourselves, or is known to be dead (a directory's
   file lock). It changes: `Unavailable`, naming the holder.
2. Create the next epoch's owner object. Who loses that race watches the winner: step 1.
3. Load the newest checkpoint and replay the log to its end; a group of a higher epoch: stop.
4. Create a fence (a group without transactions, in our epoch) at the next LSN. The slot is taken:
   replay it, with the rule of step 3, and try the next.
5. List epochs and checkpoints again: a higher epoch, or a checkpoint at or past our fence: stop.
6. TSO continues from max(clock, last TSO + 1).

Only the fence makes this safe: whoever reigned before finds its next slot taken and stops.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.clock import Clock
from storage.errors import Fenced, Unavailable
from storage.ids import Ids
from storage.log.epoch import Lease, Owner, claim, newest_epoch, read_owner
from storage.log.reader import LogReader
from storage.log.record import Group, GroupHeader
from storage.log.standing import Life, watch
from storage.log.writer import LogWriter
from storage.names import checkpoint_lsn
from storage.objects import ObjectStore
from storage.snapshot.apply import TSO_COUNTER_BITS, apply
from storage.snapshot.checkpoint import newest_roots
from storage.snapshot.model import Snapshot

__all__ = ["Reign", "holder_message", "next_tso", "take_over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """What a new primary starts with: the fence is in the log, `snapshot` is at it."""

    epoch: int
    owner: Owner
    snapshot: Snapshot
    writer: LogWriter
    lease: Lease
    checkpoint_lsn: int  # of the newest checkpoint, 0 if there is none


def next_tso(now_ms: int, last_tso: int) -> int:
    """A timestamp above `last_tso` and not below the clock: milliseconds << 18 | counter."""
    return max(now_ms << TSO_COUNTER_BITS, last_tso + 1)


async def take_over(
    store: ObjectStore,
    reader: LogReader,
    *,
    owner: Owner,
    clock: Clock,
    ids: Ids,
    predecessor_is_dead: bool = False,
) -> Reign:
    """Run the six steps.

    Args:
        predecessor_is_dead: what a file lock that could be taken proves; skips the watching.
    Raises:
        Unavailable: another primary is alive (named).
        Fenced: a higher epoch appeared meanwhile.
        CorruptData: naming the object.
    """
    epoch = await _claimed(store, owner, clock, predecessor_is_dead)
    lease = Lease(store, epoch, owner)
    await lease.beat()
    snapshot = await reader.open()
    writer, snapshot = await _fence(
        store, reader, snapshot, epoch=epoch, owner=owner, clock=clock, ids=ids
    )
    checkpoint = await _check_alone(store, epoch, snapshot.lsn)
    return Reign(
        epoch=epoch,
        owner=owner,
        snapshot=snapshot,
        writer=writer,
        lease=lease,
        checkpoint_lsn=checkpoint,
    )


async def _claimed(
    store: ObjectStore, owner: Owner, clock: Clock, predecessor_is_dead: bool
) -> int:
    """Steps 1 and 2; returns the epoch, which is ours."""
    while True:
        epoch = await newest_epoch(store)
        if epoch and not predecessor_is_dead:
            await _watch(store, epoch, owner, clock)
        if await claim(store, epoch + 1, owner, clock):
            return epoch + 1
        predecessor_is_dead = False  # of the winner nothing is known


async def _watch(store: ObjectStore, epoch: int, me: Owner, clock: Clock) -> None:
    holder = await read_owner(store, epoch)
    if holder.id != me.id and await watch(store, epoch, holder, clock) is Life.ALIVE:
        raise Unavailable(holder_message(store.url, (epoch, holder)))


def holder_message(url: str, holder: tuple[int, Owner] | None) -> str:
    """That somebody reigns, for an error. Args: holder: with the epoch; None: not known yet."""
    who = "just starting"
    if holder is not None:
        epoch, owner = holder
        who = f"{owner.id} at {owner.address} (epoch {epoch})"
    return (
        f"{url} has a primary: {who}. Write through it, or stop it first; if it hangs, "
        "`mobula primary promote` replaces it. Reading needs no primary"
    )


async def _fence(
    store: ObjectStore,
    reader: LogReader,
    snapshot: Snapshot,
    *,
    epoch: int,
    owner: Owner,
    clock: Clock,
    ids: Ids,
) -> tuple[LogWriter, Snapshot]:
    while True:
        if snapshot.epoch >= epoch:
            raise Fenced(f"epoch {snapshot.epoch} reigns over {store.url}; epoch {epoch} stops")
        writer = LogWriter(store, clock, next_lsn=snapshot.lsn + 1)
        fence = Group(
            header=GroupHeader(
                database_id=snapshot.database_id,
                branch_id=snapshot.branch_id,
                lsn=snapshot.lsn + 1,
                tso=next_tso(clock.now_ms(), snapshot.tso),
                epoch=epoch,
                writer_id=owner.id,
                nonce=ids.new(),
                previous=snapshot.checksum,
                transactions=(),
            )
        )
        try:
            return writer, apply(snapshot, await writer.append(fence))
        except Fenced:
            snapshot = await reader.follow(snapshot)


async def _check_alone(store: ObjectStore, epoch: int, fence_lsn: int) -> int:
    """Step 5; returns the LSN of the newest checkpoint."""
    newest = await newest_epoch(store)
    if newest > epoch:
        raise Fenced(f"epoch {newest} reigns over {store.url}; epoch {epoch} stops")
    roots = await newest_roots(store)
    if roots and checkpoint_lsn(roots[0]) >= fence_lsn:
        raise Fenced(f"{roots[0]} is not below our fence {fence_lsn}: another primary serves")
    return checkpoint_lsn(roots[0]) if roots else 0
