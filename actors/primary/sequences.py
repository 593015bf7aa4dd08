"""Values of sequences, for identity columns: durable before use, never handed out twice.

`Reservations.reserve` hands out consecutive values from a block that the log already says is taken.
When the block is used up, one `AdvanceSequence` takes the next, of at least 1,000 values, and only
when that is durable are its values given away. So a value costs a thousandth of a commit, and a
primary that ends loses the rest of its block: a gap, as with PostgreSQL's cached sequences.

A sequence is advanced by this class alone, and begun anew by TRUNCATE. The group that advances it
may have an unknown outcome (`Unavailable`): its block then counts as used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from actors.messages import Transaction
from actors.operations import AdvanceSequence
from actors.primary.resolved import Resolved
from storage.errors import InvalidRequest, UnknownObject
from storage.snapshot import changes as c
from storage.snapshot.model import Receipt, Sequence, Snapshot

__all__ = ["Reservations", "advance"]

BLOCK_VALUES = 1_000
COUNT_MAX = 1 << 40
NUMBER_MIN = -(1 << 63)  # the smallest integer that a record holds; no sequence goes so low


def advance(operation: AdvanceSequence, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    sequence = _known(snapshot, operation.sequence_id)
    next_value = _behind(sequence.next_value, operation.count, sequence)
    change = c.AdvanceSequence(id=sequence.id, next_value=next_value)
    return Resolved(kind="advance_sequence", catalogue=(change,))


@dataclass(slots=True)
class _Block:
    """Values that are durably taken and not yet handed out."""

    first: int
    count: int
    turn: asyncio.Lock


class Reservations:
    """Hands out values of every sequence of one primary.

    Args:
        working: the newest snapshot, with what is not durable yet.
        submit: commits a transaction; resolves it before it first waits.
    """

    def __init__(
        self,
        working: Callable[[], Snapshot],
        submit: Callable[[Transaction], Awaitable[Receipt]],
    ) -> None:
        self._working = working
        self._submit = submit
        self._blocks: dict[int, _Block] = {}

    async def reserve(self, sequence_id: int, count: int) -> int:
        """The first of `count` values, each `increment` after the one before it.

        They are the caller's for ever: nobody else gets them, whatever becomes of the caller.

        Raises:
            InvalidRequest: the sequence does not have so many values left.
            UnknownObject: it was dropped.
            Unavailable, Fenced: see `Sequencer.submit`; nothing was handed out.
        """
        if not 1 <= count <= COUNT_MAX:
            raise InvalidRequest(f"reserve: count is {count}, expected 1 to {COUNT_MAX}")
        sequence = _known(self._working(), sequence_id)
        block = self._blocks.setdefault(sequence_id, _Block(sequence.next_value, 0, asyncio.Lock()))
        async with block.turn:
            sequence = _known(self._working(), sequence_id)
            if _began_anew(sequence, _behind(block.first, block.count, sequence)):
                block.first, block.count = sequence.next_value, 0
            if block.count < count:
                await self._extend(block, sequence_id, count)
            first = block.first
            block.first += count * sequence.increment
            block.count -= count
            return first

    async def _extend(self, block: _Block, sequence_id: int, count: int) -> None:
        """Make it at least `count` values, as far as possible behind those that it has."""
        sequence = _known(self._working(), sequence_id)
        if sequence.next_value != _behind(block.first, block.count, sequence):
            # Somebody else advanced it, or we did without learning that it succeeded.
            block.first, block.count = sequence.next_value, 0
        missing = count - block.count
        left = _values_left(sequence)
        if missing > left:
            raise _exhausted(sequence)
        taken = min(max(missing, BLOCK_VALUES), left)
        operation = AdvanceSequence(sequence_id=sequence_id, count=taken)
        await self._submit(Transaction(operations=(operation,)))
        block.count += taken


def _known(snapshot: Snapshot, sequence_id: int) -> Sequence:
    sequence = snapshot.sequences.get(sequence_id)
    if sequence is None:
        raise UnknownObject(f"the sequence of id {sequence_id} does not exist", "42P01")
    return sequence


def _behind(first: int, count: int, sequence: Sequence) -> int:
    """The value after `count` values; if none is left, any number beyond the bound will do."""
    return max(first + count * sequence.increment, NUMBER_MIN)


def _began_anew(sequence: Sequence, end: int) -> bool:
    """Is what was taken up to `end` free again?"""
    return sequence.next_value < end if sequence.increment > 0 else sequence.next_value > end


def _values_left(sequence: Sequence) -> int:
    """How many values there are from `next_value` to the bound, it included."""
    up = sequence.increment > 0
    room = sequence.high - sequence.next_value if up else sequence.next_value - sequence.low
    return max(room // abs(sequence.increment) + 1, 0)


def _exhausted(sequence: Sequence) -> InvalidRequest:
    up = sequence.increment > 0
    end, bound = ("maximum", sequence.high) if up else ("minimum", sequence.low)
    return InvalidRequest(
        f'nextval: reached {end} value of sequence "{sequence.name}" ({bound})', "2200H"
    )
