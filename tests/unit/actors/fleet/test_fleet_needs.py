"""What the cluster does not give: shortages are told once, and the wish for nodes is kept up."""

from __future__ import annotations

from tests.unit.actors.fleet.stage import LARGE, SMALL, FakeProcess, Stage, playing, settle

MINUTE_MS = 60_000


async def short(stage: Stage) -> FakeProcess:
    """One worker is there, and one lacks."""
    a = await stage.served("a", 1)
    stage.host.holding = True
    stage.wish(a, 2)
    return a


def test_a_shortage_is_told_once_and_taken_back_once() -> None:
    async def test(stage: Stage) -> None:
        a = await short(stage)
        await stage.move(MINUTE_MS - 1_000)
        assert a.shortages == []
        await stage.move(1_000)
        await stage.move(3 * MINUTE_MS)
        assert a.shortages == [
            "virtual warehouse a wishes 2 workers of 1 CPUs on nodes of type default; after 60 s "
            "the cluster has given 1, and it serves with these; it has 2 CPUs"
        ]
        starting = [p for p in stage.host.alive(SMALL) if not p.started.done()]
        starting[0].start()
        await stage.move(2_000)
        assert a.shortages[1:] == [None]
        assert stage.actions()[-3:] == ["shortage", "shortage over", "worker ready"]

    playing(test)


def test_a_wish_for_less_takes_the_shortage_back_at_once() -> None:
    async def test(stage: Stage) -> None:
        a = await short(stage)
        await stage.move(MINUTE_MS)
        stage.wish(a, 1)
        stage.wish(a, 2)
        await settle()
        assert a.shortages[1:] == [None]
        await stage.move(MINUTE_MS - 1_000)
        assert len(a.shortages) == 2
        await stage.move(1_000)
        assert len(a.shortages) == 3

    playing(test)


def test_a_wish_that_was_met_long_ago_is_no_shortage_when_a_worker_dies() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 1)
        await stage.move(10 * MINUTE_MS)
        stage.host.holding = True
        next(iter(a.workers.values())).die()
        await stage.move(MINUTE_MS - 1_000)
        assert a.shortages == []
        await stage.move(2_000)
        assert len(a.shortages) == 1

    playing(test)


def test_a_greater_wish_is_waited_for_anew() -> None:
    async def test(stage: Stage) -> None:
        a = await short(stage)
        await stage.move(MINUTE_MS - 1_000)
        stage.wish(a, 3)
        await stage.move(MINUTE_MS - 1_000)
        assert a.shortages == []
        await stage.move(2_000)
        assert len(a.shortages) == 1

    playing(test)


def test_other_workers_are_waited_for_anew() -> None:
    async def test(stage: Stage) -> None:
        a = await stage.served("a", 2)
        await stage.move(10 * MINUTE_MS)
        stage.host.holding = True
        stage.wish(a, 2, LARGE)
        await stage.move(MINUTE_MS - 1_000)
        assert a.shortages == []
        await stage.move(2_000)
        assert len(a.shortages) == 1

    playing(test)


def test_the_next_coordinator_hears_of_its_own_shortage_only() -> None:
    async def test(stage: Stage) -> None:
        a = await short(stage)
        await stage.move(MINUTE_MS)
        stage.host.holding = False
        stage.host.refusing = {SMALL}
        a.die()
        await stage.move(1_000)
        after = await stage.leader("a")
        stage.wish(after, 2)
        await stage.move(MINUTE_MS - 1_000)
        assert after.shortages == []
        await stage.move(2_000)
        assert len(after.shortages) == 1

    playing(test)


def test_a_failure_while_looking_for_shortages_does_not_end_the_looking() -> None:
    async def test(stage: Stage) -> None:
        async def broken() -> str:
            stage.host.supply = supply  # type: ignore[method-assign]
            raise RuntimeError("the cluster does not say")

        supply = stage.host.supply
        stage.host.supply = broken  # type: ignore[method-assign]
        a = await short(stage)
        await stage.move(MINUTE_MS)
        assert a.shortages == []
        await stage.move(1_000)
        assert len(a.shortages) == 1

    playing(test)


def test_nodes_are_wished_for_all_virtual_warehouses_together() -> None:
    async def test(stage: Stage) -> None:
        a, b = await stage.leader("a"), await stage.leader("b")
        stage.wish(a, 2)
        stage.wish(b, 1, LARGE)
        await settle()
        assert stage.host.told_nodes == [
            [{"CPU": 1}, {"CPU": 1}],
            [{"CPU": 1}, {"CPU": 1}, {"CPU": 4}],
        ]
        stage.wish(a, 2)
        await settle()
        assert len(stage.host.told_nodes) == 2
        await stage.move(5_000)
        assert stage.host.told_nodes[2:] == stage.host.told_nodes[1:2]  # who hears may be new
        stage.wish(b, 0, LARGE)
        stage.wish(a, 0)
        await settle()
        assert stage.host.told_nodes[3:] == [[{"CPU": 1}, {"CPU": 1}], []]
        await stage.move(20_000)
        assert len(stage.host.told_nodes) == 5

    playing(test)


def test_the_wish_of_what_was_stopped_is_taken_back() -> None:
    async def test(stage: Stage) -> None:
        await stage.served("a", 2)
        await stage.fleet.stop("a", force=True)
        await settle()
        assert stage.host.told_nodes[-1] == []

    playing(test)
