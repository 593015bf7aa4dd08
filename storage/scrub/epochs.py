"""Owners of epochs: one for each number, and the very one that wrote that epoch's groups.

An owner has no checksum, but its id stands in the log, and its nonce in its sign of life. Address
and length of the lease stand nowhere else: damage of those that still reads cannot be seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import msgspec

from storage.log.epoch import Alive, Owner
from storage.names import alive_name, owner_name
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.scrub.source import AT_ONCE, NOT_THERE, Source
from storage.scrub.survey import Survey
from storage.windows import windows

__all__ = ["check_epochs"]

FENCED = (
    "restore the object from a copy of the bucket before a primary starts: an epoch whose owner is "
    "gone could be taken twice"
)


async def check_epochs(
    source: Source, found: Survey, writers: Mapping[int, str], newest: int, teller: Teller
) -> None:
    """Args:
    writers: who wrote the groups of each epoch, as far as the log is readable.
    newest: the epoch of the newest version.
    """
    for first, last in _gaps(found.owners, max(newest, *writers, 0)):
        more = f", nor those of all epochs up to {last}" if last > first else ""
        _damage(teller, owner_name(first), "an owner for every epoch", f"{NOT_THERE}{more}")
    for window in windows(sorted(found.owners), AT_ONCE):
        owners = await source.get_all(owner_name(epoch) for epoch in window)
        signs = await source.get_all(alive_name(e) for e in window if e in found.alive)
        alive = dict(zip((e for e in window if e in found.alive), signs, strict=True))
        for epoch, data in zip(window, owners, strict=True):
            sign = _sign(epoch, alive.get(epoch), teller)
            _check(epoch, data, sign, writers.get(epoch), teller)


def _gaps(owners: set[int], written: int) -> Iterator[tuple[int, int]]:
    """The first and last of consecutive epochs without an owner, up to the newest there is."""
    newest = max(owners, default=0)
    ends = [0, *sorted(owners), max(newest, written) + 1]
    for before, after in itertools.pairwise(ends):
        if after - before > 1:
            yield before + 1, after - 1


def _check(
    epoch: int, data: bytes | None, sign: Alive | None, writer: str | None, teller: Teller
) -> None:
    name = owner_name(epoch)
    if data is None:
        _damage(teller, name, "an owner for every epoch", NOT_THERE)
        return
    try:
        owner = msgspec.json.decode(data, type=Owner)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _damage(teller, name, "JSON of an owner", f"it does not decode: {error}")
        return
    if writer is not None and owner.id != writer:
        _damage(teller, name, f"the id {writer}, which wrote the epoch's groups", f"id {owner.id}")
    elif owner.lease_ms < 1:
        _damage(teller, name, "a lease of at least 1 ms", f"{owner.lease_ms} ms")
    elif sign is not None and sign.nonce != owner.nonce:
        teller.tell(
            Finding(
                severity=Severity.warning,
                part=Part.epoch,
                object=name,
                expected=f"the nonce {sign.nonce}, as in {alive_name(epoch)}",
                found=f"the nonce {owner.nonce}: one of the two objects is damaged",
                next_step="none: nothing depends on it",
            )
        )


def _sign(epoch: int, data: bytes | None, teller: Teller) -> Alive | None:
    """The sign of life, if there is one that decodes."""
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Alive)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        teller.tell(
            Finding(
                severity=Severity.note,
                part=Part.epoch,
                object=alive_name(epoch),
                expected="JSON of a sign of life",
                found=f"it does not decode: {error}",
                next_step="none: it counts as absent, and an owner that lives writes it anew",
            )
        )
        return None


def _damage(teller: Teller, name: str, expected: str, found: str) -> None:
    teller.tell(
        Finding(
            severity=Severity.damage,
            part=Part.epoch,
            object=name,
            expected=expected,
            found=found,
            next_step=FENCED,
        )
    )
