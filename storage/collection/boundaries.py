"""How far back things are kept: pure functions of the checkpoints, the policy and the time.

The past is kept from one checkpoint on, the *base*: its version is the horizon, the oldest that can
be opened. The one before it, the *spare*, is kept too, and so is the log from there on: a damaged
base costs nothing. So the log is deleted only below two checkpoints. It is packed only below the
two newest ones, from which primaries and readers open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.collection.policy import RetentionPolicy
from storage.collection.roots import Root

__all__ = ["Boundaries", "boundaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """LSNs, and checkpoints.

    Attributes:
        horizon: the oldest version that can be opened.
        log_until: groups up to there are deleted.
        pack_until: groups up to there may be packed.
        upload_floor: uploads that began before are over.
        relied_on: checkpoints that must be whole for all this.
        kept: checkpoints that stay, the others go.
        doubtful: so do these, though they were not whole when they were read: which may pass.
    """

    horizon: int
    log_until: int = 0
    pack_until: int = 0
    upload_floor: int = 0
    relied_on: tuple[Root, ...] = ()
    kept: tuple[Root, ...] = ()
    doubtful: tuple[Root, ...] = ()


def boundaries(
    roots: Sequence[Root],
    policy: RetentionPolicy,
    now_ms: int,
    *,
    horizon: int,
    limit: int,
    floor: int = 0,
) -> Boundaries:
    """Args:
    roots: oldest first.
    horizon, floor: that are in force; neither ever goes back.
    limit: the horizon must not go past this LSN: tags, branches.
    """
    wanted = _as_of(roots, now_ms - policy.retention_ms, limit)
    horizon = max(horizon, wanted.lsn if wanted else 0)
    base = _last(roots, horizon)
    spare = _last(roots, base.lsn - 1) if base else None
    followed = _as_of(roots, now_ms - policy.follow_ms)
    packed = _as_of(roots, now_ms - policy.pack_ms)
    uploads = _as_of(roots, now_ms - policy.uploads_ms)
    newest = roots[-2:]
    second = newest[0].lsn if len(newest) == 2 else 0
    relied_on = [root for root in (base, spare, *newest) if root is not None]
    return Boundaries(
        horizon=horizon,
        log_until=min(spare.lsn, followed.lsn) if spare and followed else 0,
        pack_until=min(packed.lsn, second) if packed else 0,
        upload_floor=max(floor, uploads.lsn if uploads else 0),
        relied_on=tuple(dict.fromkeys(relied_on)),
        kept=_kept(roots, base, spare, policy.checkpoint_groups_max),
    )


def _as_of(roots: Sequence[Root], unix_ms: int, limit: int | None = None) -> Root | None:
    """The newest checkpoint of that time or before."""
    found = [r for r in roots if r.written_ms <= unix_ms and (limit is None or r.lsn <= limit)]
    return found[-1] if found else None


def _last(roots: Sequence[Root], lsn: int) -> Root | None:
    """The newest checkpoint at that LSN or before."""
    found = [root for root in roots if root.lsn <= lsn]
    return found[-1] if found else None


def _kept(
    roots: Sequence[Root], base: Root | None, spare: Root | None, groups_max: int
) -> tuple[Root, ...]:
    """Base, spare and the two newest; between them, and before where there is no spare, as few as
    leave no stretch of the log longer than `groups_max`."""
    always = {root for root in (base, spare, *roots[-2:]) if root is not None}
    kept: list[Root] = []
    for place, root in enumerate(roots):
        if spare is not None and root.lsn < spare.lsn:
            continue
        after = roots[place + 1].lsn if place + 1 < len(roots) else root.lsn
        if root in always or not kept or after - kept[-1].lsn > groups_max:
            kept.append(root)
    return tuple(kept)
