"""How far back things are kept: what always holds, and cases by hand."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from storage.collection.boundaries import Boundaries, boundaries
from storage.collection.policy import RETENTION, RetentionPolicy
from storage.collection.roots import Root

NO_LIMIT = 1 << 62
POLICY = RetentionPolicy(retention_ms=100, uploads_ms=50, follow_ms=10, pack_ms=20)


def root(lsn: int, written_ms: int, name: str = "") -> Root:
    return Root(
        name=name or f"{lsn}/root", lsn=lsn, written_ms=written_ms, parts=frozenset({f"{lsn}/p"})
    )


def every_ten(count: int) -> list[Root]:
    """At LSN 10, 20, …, of ten ms each."""
    return [root(10 * n, 10 * n) for n in range(1, count + 1)]


def at(
    roots: list[Root],
    now_ms: int,
    policy: RetentionPolicy = POLICY,
    *,
    horizon: int = 0,
    limit: int = NO_LIMIT,
    floor: int = 0,
) -> Boundaries:
    return boundaries(roots, policy, now_ms, horizon=horizon, limit=limit, floor=floor)


def lsns(found: Boundaries) -> list[int]:
    return [one.lsn for one in found.kept]


# --- by hand --------------------------------------------------------------------------------------


def test_without_checkpoints_nothing_goes() -> None:
    assert at([], 1_000) == Boundaries(horizon=0)
    assert at([], 1_000, horizon=7, floor=5) == Boundaries(horizon=7, upload_floor=5)


def test_a_row_of_checkpoints() -> None:
    roots = every_ten(20)  # the newest at 200
    found = at(roots, 200)
    assert found.horizon == 100
    assert found.log_until == 90  # the spare
    assert found.pack_until == 180
    assert found.upload_floor == 150
    assert [one.lsn for one in found.relied_on] == [100, 90, 190, 200]
    assert lsns(found) == [90, 100, 190, 200]  # the groups between are no long stretch


def test_the_base_is_as_old_as_the_retention_at_least() -> None:
    roots = [root(10, 0), root(20, 99), root(30, 101)]
    assert at(roots, 199).horizon == 20
    assert at(roots, 198).horizon == 10
    assert at(roots, 99).horizon == 0
    assert at(roots, 198).log_until == 0  # no spare
    assert at(roots, 199).log_until == 10


def test_the_log_is_kept_for_followers_and_unpacked_behind_the_second_newest() -> None:
    policy = replace(POLICY, retention_ms=0, follow_ms=100, pack_ms=0)
    roots = every_ten(20)
    found = at(roots, 200, policy)
    assert found.horizon == 200
    assert (found.log_until, found.pack_until) == (100, 190)
    assert at(roots, 200, replace(policy, follow_ms=0)).log_until == 190
    assert at(roots, 200, replace(policy, pack_ms=150)).pack_until == 50
    assert at(roots[:1], 200, policy).pack_until == 0
    assert at(roots, 99, replace(policy, follow_ms=100)).log_until == 0


def test_tags_and_branches_limit_the_horizon() -> None:
    roots = every_ten(20)
    assert at(roots, 200, limit=100).horizon == 100
    assert at(roots, 200, limit=99).horizon == 90
    assert at(roots, 200, limit=45).horizon == 40
    assert at(roots, 200, limit=45).log_until == 30
    assert at(roots, 200, limit=9).horizon == 0
    assert at(roots, 200, limit=45, horizon=60).horizon == 60  # it is past that already


def test_what_is_in_force_never_goes_back() -> None:
    roots = every_ten(20)
    found = at(roots, 200, replace(POLICY, retention_ms=190, uploads_ms=190), horizon=95, floor=170)
    assert (found.horizon, found.upload_floor) == (95, 170)
    assert [one.lsn for one in found.relied_on] == [90, 80, 190, 200]
    assert found.log_until == 80


def test_long_stretches_keep_checkpoints_between() -> None:
    roots = every_ten(20)
    found = at(roots, 200, replace(POLICY, checkpoint_groups_max=30))
    assert lsns(found) == [90, 100, 130, 160, 190, 200]
    assert lsns(at(roots, 200, replace(POLICY, checkpoint_groups_max=1))) == [
        90, *range(100, 201, 10),
    ]  # fmt: skip


def test_before_there_is_a_spare_the_oldest_stay() -> None:
    roots = every_ten(5)
    assert lsns(at(roots, 50)) == [10, 40, 50]
    assert lsns(at(roots, 110)) == [10, 40, 50]  # 10 is the base, and nothing is before it
    assert at(roots, 110).log_until == 0


def test_several_checkpoints_at_one_lsn_are_not_each_others_spare() -> None:
    """A spare that covers no more than the base would be none."""
    roots = [root(10, 10), root(20, 20, "a"), root(20, 20, "b"), root(20, 20, "c")]
    found = at(roots, 120)
    assert (found.horizon, found.log_until) == (20, 10)
    assert {one.lsn for one in found.kept} == {10, 20}
    assert {one.name for one in found.kept} >= {"b", "c"}


def test_the_setting_goes_before_the_policy() -> None:
    assert POLICY.with_settings({}) is POLICY
    assert POLICY.with_settings({RETENTION: "0"}).retention_ms == 0
    assert POLICY.with_settings({RETENTION: "7", "other": "x"}) == replace(POLICY, retention_ms=7)


# --- whatever comes -------------------------------------------------------------------------------


def random_roots(rng: random.Random) -> list[Root]:
    lsn, ms, roots = 0, 0, []
    for number in range(rng.randrange(12)):
        step = rng.choice([0, 1, 5, 40])
        lsn += step if number else step + 1
        ms += rng.randrange(30) if step else 0  # one LSN, one time
        roots.append(root(lsn, ms, f"{lsn:05}-{number:02}"))
    return roots


def random_policy(rng: random.Random) -> RetentionPolicy:
    return RetentionPolicy(
        retention_ms=rng.choice([0, 1, 50, 200]),
        uploads_ms=rng.choice([0, 10, 100]),
        follow_ms=rng.choice([0, 10, 100]),
        pack_ms=rng.choice([0, 20, 100]),
        checkpoint_groups_max=rng.choice([1, 7, 60, 1_000]),
    )


def check(roots: list[Root], found: Boundaries, policy: RetentionPolicy, now_ms: int) -> None:
    kept = [one.lsn for one in found.kept]
    assert kept == sorted(kept)
    assert set(found.kept) <= set(roots)
    assert set(roots[-2:]) <= set(found.kept)  # those that everybody opens
    assert set(found.relied_on) <= set(found.kept)
    # the log goes only below two checkpoints of other versions that stay, none above the horizon
    if found.log_until:
        spare, base = sorted(lsn for lsn in set(kept) if lsn <= found.horizon)[:2]
        assert found.log_until <= spare < base <= found.horizon
        assert {one.lsn for one in found.relied_on} >= {spare, base}
    second = roots[-2].lsn if len(roots) > 1 else 0
    assert found.pack_until <= second
    young = [one.lsn for one in roots if one.written_ms > now_ms - policy.follow_ms]
    assert not young or found.log_until < young[0] or found.log_until <= found.horizon
    base = max((lsn for lsn in kept if lsn <= found.horizon), default=0)
    for one in roots:  # every version of the retention can be opened
        if one.lsn >= found.horizon and base:
            assert base <= one.lsn
    for before, after in itertools.pairwise(kept):
        between = [one.lsn for one in roots if before < one.lsn <= after]
        if after - before > policy.checkpoint_groups_max:
            assert between[0] == after, "a checkpoint between would have helped"


@pytest.mark.parametrize("seed", range(20))
def test_what_always_holds(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(200):
        roots, policy = random_roots(rng), random_policy(rng)
        ends_ms = roots[-1].written_ms if roots else 0
        now_ms = ends_ms + rng.randrange(200)
        last = roots[-1].lsn if roots else 0
        horizon, floor = rng.randint(0, last), rng.randint(0, last)
        limit = rng.choice([NO_LIMIT, rng.randint(0, last + 1)])
        found = at(roots, now_ms, policy, horizon=horizon, limit=limit, floor=floor)
        check(roots, found, policy, now_ms)
        assert found.horizon >= horizon
        assert found.horizon == horizon or found.horizon <= limit
        assert found.upload_floor >= floor
        wanted = [r.lsn for r in roots if r.written_ms <= now_ms - policy.retention_ms]
        assert found.horizon <= max([horizon, *wanted])  # nothing of the retention is lost


@pytest.mark.parametrize("seed", range(10))
def test_collecting_again_and_again_keeps_what_an_earlier_one_relied_on(seed: int) -> None:
    """Checkpoints come, time passes, those that are not kept go: the horizon only rises, the log
    that is left reaches from a kept checkpoint to the newest, and a base and a spare are there."""
    rng = random.Random(seed)
    policy = random_policy(rng)
    roots: list[Root] = []
    lsn, now_ms, horizon, deleted, floor = 0, 0, 0, 0, 0
    for number in range(150):
        now_ms += rng.randrange(40)
        if rng.random() < 0.6:
            lsn += rng.randrange(1, 30)
            roots.append(root(lsn, now_ms, f"{lsn:05}-{number:03}"))
        found = at(roots, now_ms, policy, horizon=horizon, floor=floor)
        check(roots, found, policy, now_ms)
        assert found.horizon >= horizon
        horizon, floor = found.horizon, found.upload_floor
        deleted = max(deleted, found.log_until)
        roots = list(found.kept)
        if deleted:  # every version from the horizon on has a checkpoint, and all log behind it
            usable = [one.lsn for one in roots if deleted <= one.lsn <= horizon]
            assert len(set(usable)) >= 2
