"""Pins: readers' claims on a version, for as long as they renew them.

A reader writes `pin/{id}`, with the oldest LSN that it reads at and when the claim ends, and writes
it again before that. The collector logs a horizon first and looks at the pins then: it sees every
pin that was there before the horizon. One that came later holds nothing that was planned already;
its reader meets the horizon in the log, and a query that misses an object is planned again.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from storage.errors import ObjectMissing
from storage.names import PIN_PREFIX
from storage.objects import ObjectStore

__all__ = ["ListedPin", "Pin", "list_pins", "write_pin"]


class Pin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a pin, as JSON.

    Attributes:
        lsn: nothing that versions from there on read is deleted.
        expires_ms: Unix time in ms, by the reader's clock.
        holder: who reads, for people.
    """

    lsn: int
    expires_ms: int
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPin:
    """A pin that is there; `pin` None: it does not decode, and counts as one of LSN 0."""

    name: str
    size_bytes: int
    pin: Pin | None

    def is_over(self, now_ms: int) -> bool:
        """Whether nobody claims anything by it any more."""
        return self.pin is not None and self.pin.expires_ms < now_ms

    @property
    def lsn(self) -> int:
        return 0 if self.pin is None else self.pin.lsn


async def write_pin(store: ObjectStore, name: str, pin: Pin) -> None:
    """Make or renew a pin. 1 PUT."""
    await store.put(name, msgspec.json.encode(pin))


async def list_pins(store: ObjectStore) -> list[ListedPin]:
    """All pins. 1 LIST, 1 GET for each."""
    found = []
    async for entry in store.list(PIN_PREFIX):
        try:
            data = await store.get(entry.name)
        except ObjectMissing:  # its reader has ended meanwhile
            continue
        try:
            pin = msgspec.json.decode(data, type=Pin)
        except msgspec.DecodeError:
            pin = None
        found.append(ListedPin(name=entry.name, size_bytes=entry.size_bytes, pin=pin))
    return found
