"""The correlated queries of TPC-H, reduced to what correlates them."""

from __future__ import annotations

from tests.unit.warehouse.optimizer.plans import Plan, number, test
from warehouse.algebra.expressions import Call
from warehouse.algebra.relations import Query
from warehouse.algebra.types import BIGINT

__all__ = ["q2", "q4", "q17", "q20", "q21", "q22"]


def q2() -> Query:
    """The cheapest supplier of each part: a scalar minimum."""
    plan = Plan()
    part, p = plan.scan("part", "p_key")
    supply, s = plan.scan("partsupp", "s_part s_cost")
    inner, i = plan.scan("partsupp", "i_part i_cost")
    cheapest = plan.aggregate(
        plan.where(inner, test("=", p["p_key"], i["i_part"])), "min", i["i_cost"], "cheapest"
    )
    return plan.query(
        plan.where(
            plan.cross(part, supply),
            test("=", p["p_key"], s["s_part"]),
            test("=", s["s_cost"], plan.scalar(cheapest)),
        )
    )


def q4() -> Query:
    """Orders with a late line: EXISTS."""
    plan = Plan()
    orders, o = plan.scan("orders", "o_key")
    lines, i = plan.scan("lineitem", "l_order l_commit l_receipt")
    late = plan.where(
        lines, test("=", i["l_order"], o["o_key"]), test("<", i["l_commit"], i["l_receipt"])
    )
    return plan.query(plan.where(orders, plan.exists(late)))


def q17() -> Query:
    """Small quantities: compared with an expression over an aggregate."""
    plan = Plan()
    lines, i = plan.scan("lineitem", "l_part l_quantity")
    inner, j = plan.scan("lineitem", "j_part j_quantity")
    total = plan.aggregate(
        plan.where(inner, test("=", j["j_part"], i["l_part"])), "sum", j["j_quantity"], "total"
    )
    doubled = Call(type=BIGINT, fn="+", args=(total.columns[0], total.columns[0]))
    limit = plan.project(total, limit=doubled)
    return plan.query(plan.where(lines, test("<", i["l_quantity"], plan.scalar(limit))))


def q20() -> Query:
    """Suppliers with a surplus: IN, within which IN and a scalar aggregate on two columns."""
    plan = Plan()
    supplier, s = plan.scan("supplier", "s_key")
    supply, ps = plan.scan("partsupp", "ps_part ps_supplier ps_quantity")
    part, p = plan.scan("part", "p_key p_name")
    lines, i = plan.scan("lineitem", "l_part l_supplier l_quantity")
    sold = plan.aggregate(
        plan.where(
            lines,
            test("=", i["l_part"], ps["ps_part"]),
            test("=", i["l_supplier"], ps["ps_supplier"]),
        ),
        "sum",
        i["l_quantity"],
        "sold",
    )
    named = plan.project(plan.where(part, test("=", p["p_name"], number(1))), part=p["p_key"])
    surplus = plan.where(
        supply,
        plan.member(ps["ps_part"], named),
        test(">", ps["ps_quantity"], plan.scalar(sold)),
    )
    wanted = plan.project(surplus, supplier=ps["ps_supplier"])
    return plan.query(plan.where(supplier, plan.member(s["s_key"], wanted)))


def q21() -> Query:
    """Suppliers who alone were late: EXISTS and NOT EXISTS with `<>`."""
    plan = Plan()
    lines, a = plan.scan("lineitem", "a_order a_supplier")
    others, b = plan.scan("lineitem", "b_order b_supplier")
    late, c = plan.scan("lineitem", "c_order c_supplier c_late")
    same_b = test("=", b["b_order"], a["a_order"])
    same_c = test("=", c["c_order"], a["a_order"])
    another = plan.where(others, same_b, test("<>", b["b_supplier"], a["a_supplier"]))
    another_late = plan.where(
        late,
        same_c,
        test("<>", c["c_supplier"], a["a_supplier"]),
        test("=", c["c_late"], number(1)),
    )
    return plan.query(
        plan.where(lines, plan.exists(another), test("not", plan.exists(another_late)))
    )


def q22() -> Query:
    """Customers without orders whose balance is above the average: NOT EXISTS and a constant."""
    plan = Plan()
    customer, c = plan.scan("customer", "c_key c_balance")
    every, e = plan.scan("customer", "e_balance")
    orders, o = plan.scan("orders", "o_customer")
    average = plan.aggregate(
        plan.where(every, test(">", e["e_balance"], number(0))), "avg", e["e_balance"], "average"
    )
    placed = plan.where(orders, test("=", o["o_customer"], c["c_key"]))
    return plan.query(
        plan.where(
            customer,
            test(">", c["c_balance"], plan.scalar(average)),
            test("not", plan.exists(placed)),
        )
    )
