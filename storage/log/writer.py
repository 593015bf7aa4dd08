"""Append groups to the log: one conditional PUT each, settled before anything is acknowledged.

1. `append` encodes the group for the next LSN and keeps those exact bytes.
2. It creates `log/{lsn}` if absent; any outcome but a clean success is settled by reading back.
3. Ours: the group is durable. Another's: this writer has been replaced, for good (`Fenced`).
4. After trouble the group before must be there too: a bucket that was deleted may have come back
   empty, and a log without its beginning is nobody's.
5. Unknown (the store does not answer): `Unavailable`; the caller must call `append` again with the
   same group and nothing else, for the first attempt may still have happened.

`confirm` proves the same without writing: who finds the next slot empty still reigns.
"""

from __future__ import annotations

from storage.clock import Clock
from storage.errors import (
    CorruptData,
    Fenced,
    InternalError,
    InvalidRequest,
    ObjectMissing,
    Unavailable,
)
from storage.log.record import Group, decode, decode_header, encode
from storage.names import log_name
from storage.objects import Exists, ObjectStore, create_settled

__all__ = ["LogWriter"]


class LogWriter:
    """Writes one database branch's log in one epoch. Not reentrant: one group at a time."""

    def __init__(self, store: ObjectStore, clock: Clock, *, next_lsn: int) -> None:
        self._store = store
        self._clock = clock
        self._next_lsn = next_lsn
        self._pending: tuple[Group, bytes] | None = None  # unsettled: exact bytes of the next slot

    @property
    def next_lsn(self) -> int:
        """The slot that the next group takes."""
        return self._next_lsn

    async def append(self, group: Group) -> Group:
        """Make `group` durable; returns it as readers will decode it.

        Raises:
            Fenced: the slot holds another writer's group; repeating the call raises it again.
            Unavailable: outcome unknown; call again with the same group.
            CorruptData: the log before it is gone.
            InvalidRequest: the store refuses it, at the first call, and nothing is there.
        """
        lsn = group.header.lsn
        if lsn != self._next_lsn:
            raise InternalError(f"group {lsn} appended at slot {self._next_lsn}")
        repeated = self._pending is not None
        if self._pending is None:
            self._pending = (group, encode(group))
        elif self._pending[0] is not group:
            raise InternalError(f"slot {lsn} is unsettled; only the same group may be repeated")
        data = self._pending[1]
        try:
            outcome = await create_settled(self._store, log_name(lsn), data, clock=self._clock)
        except InvalidRequest as error:
            if repeated:  # an attempt of an earlier call may still be on its way
                raise Unavailable(f"{log_name(lsn)}: the outcome is unknown: {error}") from error
            raise
        if isinstance(outcome, Exists):
            raise Fenced(_fenced_message(log_name(lsn), outcome.data))
        if repeated or outcome.attempts > 1:
            await self._check_before(lsn)
        self._pending = None
        self._next_lsn = lsn + 1
        return decode(data, log_name(lsn))

    async def _check_before(self, lsn: int) -> None:
        """Raises CorruptData if the group before `lsn` is gone. 1 ranged GET."""
        if lsn == 1:
            return
        before = log_name(lsn - 1)
        try:
            await self._store.get_range(before, 0, 1)
        except ObjectMissing as error:
            raise CorruptData(
                f"{self._store.url}: {before} is gone; this primary stopped writing"
            ) from error

    async def confirm(self) -> None:
        """Return if nobody else has written the next slot: what we know is the newest. 1 GET.

        Raises:
            Fenced: another has.
            Unavailable: the store does not answer.
        """
        lsn = self._next_lsn
        try:
            found = await self._store.get(log_name(lsn))
        except ObjectMissing:
            return
        if lsn < self._next_lsn or (self._pending is not None and self._pending[1] == found):
            return  # meanwhile it has become ours
        raise Fenced(_fenced_message(log_name(lsn), found))


def _fenced_message(name: str, data: bytes) -> str:
    try:
        header = decode_header(data, name)
    except CorruptData as error:
        return (
            f"{name} holds an object that this primary did not write ({error.message}); stopped "
            "writing. Remove it, then connect again"
        )
    return (
        f"{name} was written by {header.writer_id} in epoch {header.epoch}; "
        "this primary has been replaced and stopped writing"
    )
