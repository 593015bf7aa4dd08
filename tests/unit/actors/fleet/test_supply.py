"""What a cluster has and cannot give, in a sentence."""

from __future__ import annotations

from actors.fleet.supply import Supply, supply_text

HEAD = {"CPU": 4.0, "head": 1.0}
NODE = {"CPU": 8.0, "vw": 1.0}
WORKER = {"CPU": 3, "vw": 0.01}


def test_it_says_what_was_asked_for_what_there_is_and_what_is_coming() -> None:
    supply = Supply(
        nodes=(HEAD, NODE, NODE),
        free={"CPU": 5.0, "vw": 1.99},
        starting={"vw_spot": 2, "vw_on_demand": 1},
    )
    assert supply_text([WORKER] * 6, supply) == (
        "this database asks for 6 × {CPU: 3, vw: 0.01}; 2 of the cluster's 3 nodes can hold 4 of "
        "{CPU: 3, vw: 0.01}, with 5 CPU, 1.99 vw free; "
        "the autoscaler is starting 1 vw_on_demand, 2 vw_spot"
    )


def test_it_says_when_no_node_can_hold_a_worker_and_why_none_came() -> None:
    supply = Supply(
        nodes=(HEAD,),
        free={"CPU": 4.0},
        failed=("vw_spot: no capacity",),
        infeasible=({"CPU": 64.0, "vw": 0.01},),
    )
    assert supply_text([{"CPU": 64, "vw": 0.01}], supply) == (
        "this database asks for 1 × {CPU: 64, vw: 0.01}; none of the cluster's 1 node can hold "
        "{CPU: 64, vw: 0.01}; the autoscaler is starting none; no node type has "
        "{CPU: 64, vw: 0.01}; a node did not come: vw_spot: no capacity"
    )


def test_room_is_counted_without_rounding_errors() -> None:
    """0.3 / 0.1 is less than 3 in floats."""
    supply = Supply(nodes=({"CPU": 0.3},), free={})
    assert "can hold 3 of {CPU: 0.1}" in supply_text([{"CPU": 0.1}], supply)


def test_every_shape_is_looked_at_by_itself() -> None:
    said = supply_text([WORKER, {"CPU": 1, "head": 0.01}], Supply(nodes=(HEAD, NODE)))
    assert "1 × {CPU: 3, vw: 0.01} and 1 × {CPU: 1, head: 0.01}" in said
    assert "can hold 4 of {CPU: 1, head: 0.01}" in said


def test_nothing_wished_is_said_too() -> None:
    assert (
        supply_text([], Supply())
        == "this database asks for nothing; the autoscaler is starting none"
    )
