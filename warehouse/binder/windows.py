"""Window functions: calls with OVER, named windows, and what a frame may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet, UnknownObject
from warehouse.algebra import types
from warehouse.algebra.expressions import Expr, Frame, FrameBound, SortKey, WindowCall
from warehouse.algebra.types import BIGINT, INTERVAL, UNKNOWN, shown
from warehouse.algebra.walk import columns_used
from warehouse.binder.coercion import coerce
from warehouse.binder.resolve import Resolved
from warehouse.functions.registry import functions_named
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.binder.context import Binding, Collector

__all__ = ["WindowBinder"]

_UNFRAMED = frozenset(
    (
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
    )
)


class WindowBinder:
    """The part of `CallBinder` that knows windows."""

    if TYPE_CHECKING:
        binding: Binding
        collector: Collector
        _inside: str

        def bind(self, node: Any) -> Expr: ...
        def boolean(self, node: Any, clause: str) -> Expr: ...
        def typed(self, expr: Expr) -> Expr: ...
        def sort_key(self, item: tree.OrderItem) -> SortKey: ...
        def _arguments(self, name: str, node: tree.FuncCall) -> list[Expr]: ...
        def _star(self, name: str, node: tree.FuncCall) -> Resolved: ...
        def _resolve(
            self, name: str, args: Sequence[Expr], node: Any, kinds: tuple[str, ...]
        ) -> Resolved: ...

    def _window(self, name: str, node: tree.FuncCall, kinds: set[str]) -> Expr:
        place = self.binding.place(node)
        if self._inside == "window":
            raise InvalidRequest(f"window function calls cannot be nested{place}", "42P20")
        if self._inside == "aggregate":
            raise InvalidRequest(
                f"aggregate function calls cannot contain window function calls{place}", "42803"
            )
        if self.collector.windows is None:
            raise InvalidRequest(
                f"window functions are not allowed in {self.collector.where}{place}", "42P20"
            )
        if kinds and not kinds & {"window", "aggregate"}:
            raise InvalidRequest(
                f"OVER specified, but {name} is not a window function nor an aggregate function"
                f"{place}",
                "42809",
            )
        if node.within is not None:
            raise NotYet(f"OVER is not supported for ordered-set aggregate {name}")
        if node.distinct:
            raise NotYet(f"DISTINCT is not implemented for window functions{place}")
        if node.order:
            raise NotYet(f"aggregate ORDER BY is not implemented for window functions{place}")
        outer, self._inside = self._inside, "window"
        try:
            call = self._window_call(name, node)
        finally:
            self._inside = outer
        for column, known in self.collector.windows:
            if known == call:
                return column
        column = self.binding.column(call.type, name)
        self.collector.windows.append((column, call))
        return column

    def _window_call(self, name: str, node: tree.FuncCall) -> WindowCall:
        assert node.over is not None
        spec = self._whole_spec(node.over)
        condition = None if node.filter is None else self.boolean(node.filter, "FILTER")
        if node.star:
            entry, bound, kind = self._star(name, node)
        else:
            args = self._arguments(name, node)
            own = any(entry.kind == "window" for entry in functions_named(name))
            kinds = ("window",) if own else ("window", "aggregate")
            try:
                entry, bound, kind = self._resolve(name, args, node, kinds)
            except UnknownObject:
                if any(entry.within for entry in functions_named(name)):
                    raise InvalidRequest(
                        f"OVER is not supported for ordered-set aggregate {name}", "42809"
                    ) from None
                raise
        if condition is not None and entry.kind == "window":
            raise NotYet("FILTER is not implemented for non-aggregate window functions")
        if node.nulls == "ignore":
            raise NotYet("IGNORE NULLS is not available")
        order = tuple(self.sort_key(item) for item in spec.order)
        partition = tuple(self.typed(self.bind(part)) for part in spec.partition)
        frame = None if name in _UNFRAMED else self._frame(spec, order)
        return WindowCall(
            type=kind,
            fn=entry.signature.key,
            args=bound,
            partition=partition,
            order=order,
            frame=frame,
            filter=condition,
        )

    def _whole_spec(self, spec: tree.WindowSpec) -> tree.WindowSpec:
        """The window with what it takes from the named one."""
        if spec.base is None:
            return spec
        base = self.collector.definitions.get(spec.base)
        if base is None:
            raise UnknownObject(
                f'window "{spec.base}" does not exist{self.binding.place(spec)}', "42704"
            )
        base = self._whole_spec(base)
        if spec.plain:
            return base
        for clause, wrong in (
            ("override PARTITION BY clause of", bool(spec.partition)),
            ("override ORDER BY clause of", bool(spec.order and base.order)),
            ("copy", base.frame is not None),
        ):
            if wrong:
                extra = " because it has a frame clause" if clause == "copy" else ""
                raise InvalidRequest(f'cannot {clause} window "{spec.base}"{extra}', "42P20")
        return tree.WindowSpec(spec.at, None, base.partition, spec.order or base.order, spec.frame)

    def _frame(self, spec: tree.WindowSpec, order: tuple[SortKey, ...]) -> Frame:
        if spec.frame is None:
            return Frame(
                mode="range",
                start=FrameBound(kind="unbounded preceding"),
                end=FrameBound(kind="current"),
            )
        node = spec.frame
        self._check_frame(node, order)
        start = self._frame_bound(node.start, node.mode, order)
        end = self._frame_bound(node.end, node.mode, order)
        return Frame(mode=node.mode, start=start, end=end, exclude=node.exclude)

    def _check_frame(self, node: tree.FrameSpec, order: tuple[SortKey, ...]) -> None:
        def wrong(message: str, sqlstate: str = "42P20") -> InvalidRequest:
            return InvalidRequest(f"{message}{self.binding.place(node)}", sqlstate)

        kinds = ("unbounded preceding", "preceding", "current", "following", "unbounded following")
        start, end = kinds.index(node.start.kind), kinds.index(node.end.kind)
        if start == 4:
            raise wrong("frame start cannot be UNBOUNDED FOLLOWING")
        if end == 0:
            raise wrong("frame end cannot be UNBOUNDED PRECEDING")
        if start == 2 and end == 1:
            raise wrong("frame starting from current row cannot have preceding rows")
        if start == 3 and end in (1, 2):
            raise wrong("frame starting from following row cannot have preceding rows")
        if node.mode == "groups" and not order:
            raise wrong("GROUPS mode requires an ORDER BY clause")
        offsets = [bound for bound in (node.start, node.end) if bound.offset is not None]
        if node.mode == "range" and offsets and len(order) != 1:
            raise wrong(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            )

    def _frame_bound(
        self, bound: tree.FrameEnd, mode: str, order: tuple[SortKey, ...]
    ) -> FrameBound:
        if bound.offset is None:
            return FrameBound(kind=bound.kind)
        offset = self.bind(bound.offset)
        if columns_used(offset):
            raise InvalidRequest(
                f"argument of {mode.upper()} must not contain variables{self.binding.place(bound)}",
                "42P10",
            )
        if mode != "range":
            return FrameBound(kind=bound.kind, offset=coerce(offset, BIGINT))
        key = order[0].expr.type
        if types.category(key) == "N":
            offset = (
                coerce(offset, types.DOUBLE) if types.is_float(key) else self._number(offset, key)
            )
        elif types.category(key) in "DT" and types.base_name(offset.type) in (
            "interval",
            "unknown",
        ):
            offset = coerce(offset, INTERVAL)
        else:
            raise NotYet(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type"
                f" {shown(key)}"
            )
        return FrameBound(kind=bound.kind, offset=offset)

    def _number(self, offset: Expr, key: types.AnyType) -> Expr:
        if offset.type == UNKNOWN:
            return coerce(offset, key)
        if types.category(offset.type) != "N" or types.is_float(offset.type):
            raise NotYet(
                f"RANGE with offset PRECEDING/FOLLOWING is not supported for column type"
                f" {shown(key)} and offset type {shown(offset.type)}"
            )
        return offset
