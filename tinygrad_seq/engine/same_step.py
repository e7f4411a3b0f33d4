"""Find out which steps of a graph are the same step again.

Two steps of a loop are the same step again if they hold the same ops in the same order, wired the same way, where "the
same way" moves along with time: the state comes from one step earlier, the input is the next slice, the weight is the
same node. So every step gets a key, which is data: what is equal in all steps that are the same, and the integers that
may grow by the same amount from step to step. The keys of neighbours are then compared. Whatever reads a graph by steps
(a picture that leaves some out, a program that repeats one) asks here first, so a step that differs is never lost.

Data may differ: which rows are looked up, targets, constants. What differs is told beside the kinds of steps.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.timeline import Position, ScopeVisit, Timeline

DATA = {  # static arguments whose numbers are data, and what to call them
    "index": "indices", "indices": "indices", "ids": "indices", "targets": "targets", "value": "constants",
}  # fmt: skip
# An entry describes an op, one of its arguments, or who reads it outside the step. First what is equal in steps that
# are the same, then the integers that move evenly, or not at all.
Entry = tuple[tuple[Hashable, ...], tuple[int, ...]]
StepKey = list[Entry]


@dataclass(frozen=True, slots=True)
class StepKinds:
    """What the steps of a graph have in common."""

    kind: dict[ScopeVisit, int]  # equal for two steps of a loop exactly where they are the same step again
    data: dict[ScopeVisit, list[tuple[str, Hashable]]]  # what may differ in them, by what it is called

    def varying(self, steps: Iterable[ScopeVisit]) -> list[str]:
        """Return what differs between steps that are the same: indices, targets, constants."""
        columns = zip(*(reversed(self.data[step]) for step in steps))  # a first step may lack the beginning
        return list(dict.fromkeys(column[0][0] for column in columns if len(set(column)) > 1))


def classify_steps(
    timeline: Timeline, nodes: Sequence[Node], within: bool = False, outputs: Set[Node] = frozenset()
) -> StepKinds:
    """Return which steps of the loops are the same step again. A step that holds one of the `outputs` is like no other.

    `within`: look no further than each step; who reads it does not count, nor what the first steps of a loop read
    instead of the state of a step before them, nor that the last one holds an output.
    """
    surroundings = Surroundings(timeline, nodes, outputs)
    numbers: dict[Hashable, int] = {}
    found: dict[ScopeVisit, int] = {}
    for loop in timeline.loops:
        keys = [surroundings.step_key(step, within) for step in loop]
        if within:
            forget_ends(loop[0].loop, keys)
            if len(loop) > 1:
                first, second = (timeline.ops_in[step] for step in loop[:2])
                keys[0] = keys[1] if lacks_a_beginning(keys[0], keys[1], first, second) else keys[0]
        fixed = [tuple([entry[0] for entry in key]) for key in keys]
        integers = [[n for _, moving in key for n in moving] for key in keys]
        for i, (step, like) in enumerate(zip(loop, nearest_alike(fixed))):
            pairs = zip(integers[i], integers[like], strict=True)
            strides = [((n - m) / (i - like) if like != i else 0, n) for n, m in pairs]
            relative = tuple((stride, n - stride * i) for stride, n in strides)
            found[step] = numbers.setdefault((step.loop, fixed[i], relative), len(numbers))
    return StepKinds(found, surroundings.data)


class Surroundings:
    """What the steps of a graph have around them: the readers of a node, and the nodes that several steps read."""

    def __init__(self, timeline: Timeline, nodes: Sequence[Node], outputs: Set[Node]) -> None:
        self.timeline, self.outputs = timeline, outputs
        self.ordinal = {node: i for i, node in enumerate(nodes)}
        self.by_serial = {node.serial: node for node in nodes}
        self.users: dict[Node, list[Node]] = defaultdict(list)
        self.shared: set[tuple[int, Node]] = set()  # loops, and what more than one of their steps reads
        self.known: dict[Entry, Entry] = {}  # one object for equal entries: most steps are alike
        self.data: dict[ScopeVisit, list[tuple[str, Hashable]]] = {}  # by step: see StepKinds
        readers: dict[tuple[int, Node], ScopeVisit] = {}
        for node, positions in timeline.positions.items():
            for parent in node.parents:
                self.users[parent].append(node)
                for step, _ in positions:
                    if readers.setdefault((step.loop, parent), step) is not step:
                        self.shared.add((step.loop, parent))

    def step_key(self, step: ScopeVisit, within: bool) -> StepKey:
        """Describe the ops of a step, in order: each, its arguments, and unless `within` its readers elsewhere."""
        entries: StepKey = []
        data = self.data[step] = []
        outputs = frozenset() if within and step is self.timeline.loops[step.loop][-1] else self.outputs
        for node in self.timeline.ops_in[step]:
            own_steps, visit = self.timeline.positions[node], self.timeline.visit_of[node]
            key: list[Hashable] = [node.op, node.shape, node.dtype.str, node.name, hooks_of(node), node in outputs]
            key += [visit.id[len(step.id) :], visit is step or visit.text]
            static = static_of(node)
            if "part" in static and type(self.location(node.parents[0], step, own_steps)) is int:
                key, static = [*key, static["part"]], {}  # of something in the step: it may not move
            entries.append(entry_of(key, static, data))
            for i, parent in enumerate(node.parents):
                exponent = i == 1 and node.op.name == "power"  # x**2 and x**3 are different ops
                entries.append(self.argument(parent, step, own_steps, None if exponent else data))
            if not within:
                steps: dict[Hashable, None] = {}  # of this loop: how they read it, their own keys say
                outside: list[Hashable] = []
                for user in self.users[node]:
                    where = self.location(user, step, own_steps, True)
                    if isinstance(where, tuple) and where[0] == step.loop:
                        steps[where[:2]] = None
                    elif type(where) is not int:
                        outside.append((where, user.op, user.shape, user.name))
                entries.append(((*steps, *outside), ()))
        return [self.known.setdefault(entry, entry) for entry in entries]

    def location(self, node: Node, step: ScopeVisit, own_steps: Sequence[Position], reader: bool = False) -> Hashable:
        """Return where a node is, seen from a step: its position in it, where in another step, or None (outside).

        A first step may lack ops at its beginning, and a last one have more at its end: so positions count from the
        end of a step that is read, and from the beginning of one that reads.
        """
        for other, position in self.timeline.positions.get(node, ()):
            place = position if reader else position - len(self.timeline.ops_in[other])
            if other is step:
                return place
            if not any(other is own for own, _ in own_steps):
                return other.loop, other.order - step.order, place
        return None

    def argument(
        self, parent: Node, step: ScopeVisit, own_steps: Sequence[Position], data: list[tuple[str, Hashable]] | None
    ) -> Entry:
        """Describe what an op of a step reads. Constants go into `data`, or count where there is none."""
        where = self.location(parent, step, own_steps)
        if where is not None:
            return (where,), ()
        key: list[Hashable] = [None]
        if parent.op is not None and parent.op.name == "part":  # a slice of something outside, read by number
            key.append(self.ordinal[parent.parents[0]])
        elif (step.loop, parent) in self.shared:
            return (None, self.ordinal[parent]), ()
        else:  # made outside for this step alone
            key += [parent.op, parent.shape, parent.dtype.str, parent.name, parent.requires_grad, hooks_of(parent)]
            if data is not None and (parent.dtype.kind == "b" or (parent.name or "").startswith("mask")):
                data.append(("masks", parent.serial))
            for other in parent.parents:
                where = self.location(other, step, own_steps)
                private = where is not None or (other.op is None and not other.requires_grad)
                key += [where, other.shape if private else self.ordinal[other]]
        if isinstance(parent, Detached):
            origin = next((self.by_serial[serial] for serial in parent.origin if serial in self.by_serial), None)
            key.append(("detached", origin and self.location(origin, step, own_steps)))
        static = static_of(parent)
        return entry_of(key, static, data) if data is not None else entry_of([*key, repr(static or parent)], {}, [])


def nearest_alike(keys: Sequence[Hashable]) -> list[int]:
    """Return for each key where an equal one is: a neighbour, else the last one before, else the next one after."""
    before, after = list(range(len(keys))), list(range(len(keys)))
    for nearest, places in ((before, range(len(keys))), (after, reversed(range(len(keys))))):
        seen: dict[Hashable, int] = {}
        for i in places:
            nearest[i] = seen.get(keys[i], i)
            seen[keys[i]] = i
    return [b if b == i - 1 or (b < i and a != i + 1) else a for i, (b, a) in enumerate(zip(before, after))]


def forget_ends(loop: int, keys: list[StepKey]) -> None:
    """Let the first steps of a loop read what the next step reads, where theirs would be before the first."""
    last = len(keys) - 1
    for i, inner in [*((i, i + 1) for i in reversed(range(last))), *((i, i - 1) for i in range(1, last + 1))]:
        if len(keys[i]) != len(keys[inner]):
            continue
        for k, read in enumerate(keys[inner]):
            where = read[0][0] if read[0] else None
            if isinstance(where, tuple) and len(where) == 3 and where[0] == loop and not 0 <= i + where[1] <= last:
                keys[i][k] = read


def lacks_a_beginning(first: StepKey, second: StepKey, ops: Sequence[Node], more: Sequence[Node]) -> bool:
    """Return whether the first step is the second one without its first ops, whose results are constants there.

    Nothing is recorded of what is made of inputs and a constant first state, such as `concatenate([x, h])`.
    """
    lacking = len(more) - len(ops)
    rest = second[sum(1 + len(node.parents) for node in more[:lacking]) :]
    learned = any(parent.op is None and parent.requires_grad for node in more[:lacking] for parent in node.parents)
    if lacking <= 0 or learned or len(rest) != len(first):
        return False
    for entry, read in zip(first, rest):
        where = read[0][0] if read[0] else None
        lost = type(where) is int and where < -len(ops) and entry[0][:2] == (None, None)
        if entry != read and not lost:
            return False
    return True


def entry_of(key: list[Hashable], static: dict[str, Any], data: list[tuple[str, Hashable]]) -> Entry:
    """Return an entry of a key and static arguments: data goes into `data`; which part, and from where to where a
    slice goes, are the integers that may move.
    """
    integers: list[int] = []
    stack = [(value, DATA.get(name), name == "part") for name, value in static.items()]
    key.append(tuple(static))
    while stack:
        value, called, may_move = stack.pop()
        if isinstance(value, tuple | list):
            key.append(len(value))
            stack.extend((item, called, may_move) for item in value)
        elif isinstance(value, slice):
            key += [slice, value.step]
            stack += [(end, None, True) for end in (value.start, value.stop)]
        elif hasattr(value, "tobytes"):
            key.append((getattr(value, "shape", ()), str(value.dtype)))
            (key if called is None else data).append((called or "", value.tobytes()))
        elif called is not None and value is not None and value is not Ellipsis:
            key.append(type(value).__name__)
            data.append((called, value))
        elif type(value) is int and may_move:
            integers.append(value)
            key.append(int)
        else:
            key.append(repr(value))
    return tuple(key), tuple(integers)


def hooks_of(node: Node) -> Hashable:
    """Return which functions are called with the gradient of a node: of functions made in a loop, their one body."""
    return tuple([getattr(hook, "__code__", hook) for hook in (node.hooks or {}).values()])


def static_of(node: Node) -> dict[str, Any]:
    """Return the static arguments of a node. Which part it is of an op of several outputs is no index into data."""
    static = node.static or {}
    return {"part": static["index"]} if node.op is not None and node.op.name == "part" else static


def kinds_of_ops(nodes: Iterable[Node]) -> dict[Node, Hashable]:
    """Return for every op what it is, whatever it reads: two steps that are the same have the same ones."""
    found: dict[Node, Hashable] = {}
    for node in nodes:
        static = {name: structure(value) if name in DATA else value for name, value in static_of(node).items()}
        found[node] = (node.op, node.shape, node.dtype.str, node.name, len(node.parents), entry_of([], static, []))
    return found


def structure(value: Any) -> Hashable:
    """Return what is left of data without its numbers."""
    if isinstance(value, tuple | list):
        return tuple(map(structure, value))
    return f"{type(value).__name__} {getattr(value, 'shape', '')} {getattr(value, 'dtype', '')}"
