"""ORDER BY means input columns, also where an output has the same name.

PostgreSQL reads a bare name in ORDER BY as an output, and everything else (`e.id`, `id + 1`) as
input columns. Polars looks among the outputs first, whatever the name is qualified with:
`SELECT d.id … ORDER BY e.id` would sort by `d.id`. So, per SELECT:

1. An unqualified column inside a longer ORDER BY expression gets its source, if one source has it.
2. If an output's name is also the name of another column that ORDER BY reads, the output gets a
   fresh name. The top query's names travel beside the plan; a nested query is wrapped in one that
   gives the old names back. A nested ORDER BY without LIMIT means nothing and is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from storage.errors import InvalidRequest
from warehouse.sql.later import not_yet

__all__ = ["separate_outputs"]

Columns = Callable[[exp.Select, str], list[str]]


def separate_outputs(tree: exp.Query, sources_with: Columns) -> None:
    """Make ORDER BY mean the same for Polars; changes the qualified `tree`.

    Args:
        sources_with: the aliases in a SELECT's FROM that have a column of that name.
    """
    for select in list(tree.find_all(exp.Select)):
        order = select.args.get("order")
        if order is None:
            continue
        _qualify(select, order, sources_with)
        _check_distinct(select, order)
        clashes = _clashes(select, order)
        if not clashes:
            continue
        if select is tree:
            _rename(select, clashes)
        elif not select.args.get("limit") and not select.args.get("offset"):
            select.set("order", None)
        else:
            _wrap(select, clashes)


def _qualify(select: exp.Select, order: exp.Order, sources_with: Columns) -> None:
    outputs = {p.alias_or_name for p in select.expressions}
    for item in order.expressions:
        if isinstance(item.this, exp.Column):
            continue
        for column in item.this.find_all(exp.Column):
            if column.table or column.name not in outputs:
                continue
            found = sources_with(select, column.name)
            if len(found) == 1:
                column.set("table", exp.to_identifier(found[0], quoted=True))


def _check_distinct(select: exp.Select, order: exp.Order) -> None:
    distinct = select.args.get("distinct")
    if distinct is None:
        return
    outputs = [p.unalias() for p in select.expressions]
    for item in order.expressions:
        hidden = any(column.table for column in item.this.find_all(exp.Column))
        if not hidden or item.this in outputs:
            continue
        if distinct.args.get("on"):
            raise not_yet("DISTINCT ON with ORDER BY of anything but outputs")
        raise InvalidRequest(
            f"ORDER BY {item.this.sql(dialect='postgres')}: with SELECT DISTINCT it must be one of"
            " the outputs",
            "42P10",
        )


def _clashes(select: exp.Select, order: exp.Order) -> set[str]:
    """Names of outputs that stand for something else than the input column that is sorted by."""
    outputs = {p.alias_or_name: p.unalias() for p in select.expressions}
    return {
        column.name
        for column in order.find_all(exp.Column)
        if column.table and column.name in outputs and outputs[column.name] != column
    }


def _rename(select: exp.Select, names: set[str]) -> dict[str, str]:
    taken = {p.alias_or_name for p in select.expressions}
    taken |= {c.name for c in select.find_all(exp.Column)}
    fresh: dict[str, str] = {}
    for name in sorted(names):
        number = 1
        while f"{name}_{number}" in taken:
            number += 1
        fresh[name] = f"{name}_{number}"
        taken.add(fresh[name])
    for projection in list(select.expressions):
        name = projection.alias_or_name
        if name in fresh:
            renamed = exp.alias_(projection.unalias().copy(), fresh[name], quoted=True)
            renamed.type = projection.type
            projection.replace(renamed)
    for clause in ("order", "group", "having", "distinct"):
        node = select.args.get(clause)
        for column in list(node.find_all(exp.Column)) if node else []:
            if not column.table and column.name in fresh:
                column.set("this", exp.to_identifier(fresh[column.name], quoted=True))
    return fresh


def _wrap(select: exp.Select, names: set[str]) -> None:
    wanted = [p.alias_or_name for p in select.expressions]
    fresh = _rename(select, names)
    inner = select.copy()
    outer = exp.select(
        *(
            exp.alias_(exp.column(fresh.get(n, n), table="q", quoted=True), n, quoted=True)
            for n in wanted
        )
    ).from_(inner.subquery("q", copy=False), copy=False)
    if with_ := inner.args.get("with_"):
        inner.set("with_", None)
        outer.set("with_", with_)
    select.replace(outer)
