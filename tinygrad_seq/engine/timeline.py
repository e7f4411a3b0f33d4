"""The tree of scope visits: which ops belong together, and which steps form a loop over time.

Every op remembers the scope it was made in. `Timeline` sorts the ops of a graph by these into a tree of visits: the
visits of key "step" that lie side by side in it are a loop over time. Every reader that goes by steps starts here.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from numbers import Real
from types import MappingProxyType
from typing import Any

from tinygrad_seq.engine.graph import Node
from tinygrad_seq.engine.scope import Name, Scope


class FoundStep(int):
    """The number of a step that was found in the graph, not declared by a scope."""

    __slots__ = ()


class ScopeVisit:
    """One visit of a scope, with the ops made right in it, not deeper.

    It knows the visit around it, and `Timeline` knows those inside it. References in both directions would be a
    circle, and the graph would wait for the garbage collector.
    """

    __slots__ = ("id", "key", "loop", "names", "ops", "order", "outer", "text", "value")

    def __init__(self, outer: "ScopeVisit | None", key: str, value: Any) -> None:
        self.outer, self.key, self.value = outer, key, value
        self.text = re.sub(" at 0x[0-9a-fA-F]+", "", str(value))  # an address would differ from run to run
        self.ops: list[Node] = []
        self.names: Counter[str] = Counter()  # how often each name was given to a visit inside
        self.loop = self.order = -1  # of a step: which loop over time, and where in it
        self.id = ""
        if outer is not None:
            name = re.sub(r"[^\w.-]", "_", f"{key}-{self.text}")[:40]
            outer.names[name] += 1
            self.id = f"{outer.id}/{name}" + (f"~{outer.names[name]}" if outer.names[name] > 1 else "")

    def is_of(self, link: Scope) -> bool:
        """Return whether this is a visit of that scope. Steps that were found are never those that were declared."""
        found = isinstance(self.value, FoundStep) is isinstance(link.value, FoundStep)
        return found and (self.key, self.text) == (link.key, str(link.value))


Position = tuple[ScopeVisit, int]  # a step, and which of its ops


class Timeline:
    """The tree of scope visits of a graph's ops (given in order of creation), and its loops over time.

    `scopes` may say that an op was made elsewhere (see found_steps.py). `visit_of[op]` is the visit that an op was made
    in; `positions[op]` the steps around it, outermost first, with its position in each; `inner[visit]` the visits right
    inside a visit, in the order they were entered; `ops_in[step]` all ops in a step, at any depth.
    """

    def __init__(self, ops: Sequence[Node], scopes: Mapping[Node, Scope] = MappingProxyType({})) -> None:
        self.top = ScopeVisit(None, "", "")
        self.inner: dict[ScopeVisit, list[ScopeVisit]] = {self.top: []}
        self.visit_of: dict[Node, ScopeVisit] = {}
        self.positions: dict[Node, tuple[Position, ...]] = {}
        self.ops_in: dict[ScopeVisit, list[Node]] = {}
        known: dict[Scope | None, ScopeVisit] = {}
        steps_around: dict[ScopeVisit, list[ScopeVisit]] = {self.top: []}
        for node in ops:
            scope = scopes.get(node, node.scope)
            visit = known.get(scope) or self.enter(scope, known, steps_around)
            visit.ops.append(node)
            self.visit_of[node] = visit
            positions = []
            for step in steps_around[visit]:
                members = self.ops_in.setdefault(step, [])
                positions.append((step, len(members)))
                members.append(node)
            self.positions[node] = tuple(positions)
        self.loops = [loop for inner in self.inner.values() for loop in loops_of(inner)]
        for i, loop in enumerate(self.loops):
            for order, step in enumerate(loop):
                step.loop, step.order = i, order

    def enter(
        self, scope: Scope, known: dict[Scope | None, ScopeVisit], steps_around: dict[ScopeVisit, list[ScopeVisit]]
    ) -> ScopeVisit:
        """Return the visit of a scope that is not known yet.

        The same key and value again, with nothing in between, is the same visit; but every call of a module is one.
        """
        links = list(takewhile(lambda link: link not in known, scope.links()))
        visit = known.get(links[-1].outer, self.top) if links else self.top
        for link in reversed(links):
            if link.key:  # without a key it says only how to record
                last = self.inner[visit][-1] if self.inner[visit] else None
                if last is None or isinstance(link.value, Name) or not last.is_of(link):
                    last = ScopeVisit(visit, link.key, link.value)
                    self.inner[visit].append(last)
                    self.inner[last] = []
                    steps_around[last] = [*steps_around[visit], last] if link.key == "step" else steps_around[visit]
                visit = last
            known[link] = visit
        return known.setdefault(scope, visit)


def loops_of(visits: Sequence[ScopeVisit]) -> list[list[ScopeVisit]]:
    """Return the loops among visits side by side, in order of time. A step that comes again begins a new loop."""
    by_text: list[dict[str, ScopeVisit]] = []
    for step in visits:
        if step.key == "step":
            last = next(iter(by_text[-1].values())) if by_text else step
            if not by_text or step.text in by_text[-1] or type(step.value) is not type(last.value):
                by_text.append({})
            by_text[-1][step.text] = step
    loops = [list(steps.values()) for steps in by_text]
    for loop in loops:
        if all(isinstance(step.value, Real) for step in loop):
            loop.sort(key=lambda step: step.value)
    return loops
