"""Which steps of a graph are the same step again.

Scopes say what belongs together: `Places` sorts the recorded ops into a tree of the scopes they were made in, and the
places of key "step" that lie side by side in it are a loop over time. Two steps of a loop are the same step again if
they hold the same ops in the same order, wired the same way, where "the same way" moves along with time: the state
comes from one step earlier, the input is the next slice, the weight is the same node. Whatever reads a graph by steps
(a picture that leaves some out, a program that repeats one) asks here first, so a step that differs is never lost.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from numbers import Real
from typing import Any

from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.scope import Name, Scope


class Place:
    """One visit of a scope: the ops made right in it. It knows the place around it, and `Places` those inside it:
    references one way only, so that a tree of places, and the graph it is of, goes when nobody holds it any more.
    """

    __slots__ = ("id", "key", "loop", "names", "ops", "order", "outer", "text", "value")

    def __init__(self, outer: "Place | None", key: str, value: Any) -> None:
        self.outer, self.key, self.value = outer, key, value
        self.text = re.sub(" at 0x[0-9a-fA-F]+", "", str(value))  # an address would differ from run to run
        self.ops: list[Node] = []
        self.names: Counter[str] = Counter()
        self.loop = self.order = -1  # of a step: which loop over time, and where in it
        self.id = ""
        if outer is not None:
            name = re.sub(r"[^\w.-]", "_", f"{key}-{self.text}")[:40]
            outer.names[name] += 1
            self.id = f"{outer.id}/{name}" + (f"~{outer.names[name]}" if outer.names[name] > 1 else "")


Seat = tuple[Place, int]  # a step, and which of its ops


class Places:
    """The tree of places of a graph's ops (given in order of creation), and its loops over time.

    `at[op]` is the place an op was made in; `seats[op]` the steps around it, outermost first, and its position in each;
    `inner[place]` holds the places right inside a place, in the order they were entered.
    """

    def __init__(self, ops: Sequence[Node]) -> None:
        self.top = Place(None, "", "")
        self.inner: dict[Place, list[Place]] = {self.top: []}
        self.at: dict[Node, Place] = {}
        self.seats: dict[Node, tuple[Seat, ...]] = {}
        self.members: dict[Place, list[Node]] = {}  # of a step: all ops in it, at any depth
        known: dict[Scope, Place] = {}
        around: dict[Place, list[Place]] = {self.top: []}
        for node in ops:
            place = known.get(node.scope) or self.enter(node.scope, known, around)
            place.ops.append(node)
            self.at[node] = place
            seats = []
            for step in around[place]:
                members = self.members.setdefault(step, [])
                seats.append((step, len(members)))
                members.append(node)
            self.seats[node] = tuple(seats)
        self.loops = [loop for inner in self.inner.values() for loop in loops_of(inner)]
        for i, loop in enumerate(self.loops):
            for order, step in enumerate(loop):
                step.loop, step.order = i, order

    def enter(self, scope: Scope, known: dict[Scope, Place], around: dict[Place, list[Place]]) -> Place:
        """The place of a scope. Entering the same key and value again with nothing between is the same visit,
        but for another module of the same name."""
        links: list[Scope] = []
        link: Scope | None = scope
        while link is not None and link.outer is not None and link not in known:
            links.append(link)
            link = link.outer
        place = known.get(link, self.top) if link is not None else self.top
        for link in reversed(links):
            if link.key:  # else it says only how to record
                last = self.inner[place][-1] if self.inner[place] else None
                other = last is None or last.key != link.key or last.text != str(link.value)
                if last is None or other or (isinstance(link.value, Name) and link.value is not last.value):
                    last = Place(place, link.key, link.value)
                    self.inner[place].append(last)
                    self.inner[last] = []
                    around[last] = [*around[place], last] if link.key == "step" else around[place]
                place = last
            known[link] = place
        return known.setdefault(scope, place)


def loops_of(inner: Sequence[Place]) -> list[list[Place]]:
    """The loops over time among the places inside one, in order of time: a step that comes again begins a new one."""
    loops: list[list[Place]] = []
    seen: set[str] = set()
    for step in inner:
        if step.key == "step":
            if not loops or step.text in seen:
                loops.append([])
                seen = set()
            loops[-1].append(step)
            seen.add(step.text)
    for loop in loops:
        if all(isinstance(step.value, Real) for step in loop):
            loop.sort(key=lambda step: step.value)
    return loops


Entry = tuple[tuple[Hashable, ...], tuple[int, ...]]  # words that compare, and numbers that may move along with time


def same_again(places: Places, nodes: Sequence[Node], within: bool = False) -> dict[Place, int]:
    """For every step a number, equal for two steps of a loop exactly where they are the same step again.

    `within`: as far as each step goes; who reads it does not count, nor what the first steps of a loop read instead of
    the state of a step before them.
    """
    users: dict[Node, list[Node]] = defaultdict(list)
    readers: dict[tuple[int, Node], Place] = {}
    shared: set[tuple[int, Node]] = set()  # what more than one step of a loop reads
    ordinal = {node: i for i, node in enumerate(nodes)}
    by_serial = {node.serial: node for node in nodes}
    for node in places.at:
        for parent in node.parents:
            users[parent].append(node)
            for step, _ in places.seats[node]:
                if readers.setdefault((step.loop, parent), step) is not step:
                    shared.add((step.loop, parent))

    def there(node: Node, step: Place, own: Sequence[Seat]) -> Hashable:
        """Where a node is, seen from a step: in it, in another one, or None."""
        for at, position in places.seats.get(node, ()):
            if at is step:
                return position
            if not any(at is seat[0] for seat in own):
                return at.loop, at.order - step.order, position
        return None

    def argument(parent: Node, step: Place, own: Sequence[Seat]) -> Entry:
        """What an op of a step reads."""
        words: list[Hashable] = [there(parent, step, own)]
        numbers: list[int] = []
        if words[0] is not None:
            return tuple(words), ()
        if parent.op is not None and parent.op.name == "part":  # a slice of something outside, read by number
            words.append(ordinal[parent.parents[0]])
        elif (step.loop, parent) in shared:
            return (None, ordinal[parent]), ()
        else:  # made outside for this step alone
            words += [parent.op and parent.op.name, parent.shape, parent.dtype.str, parent.name, parent.requires_grad]
            for other in parent.parents:
                where = there(other, step, own)
                private = where is not None or (other.op is None and not other.requires_grad)
                words += [where, other.shape if private else ordinal[other]]
        if isinstance(parent, Detached):
            origin = next((by_serial[serial] for serial in parent.origin if serial in by_serial), None)
            words.append(("cut", origin and there(origin, step, own)))
        flatten(parent.static, words, numbers)
        return tuple(words), tuple(numbers)

    known: dict[Entry, Entry] = {}  # each sort of entry once: most steps are alike

    def sketch(step: Place) -> list[Entry]:
        entries: list[Entry] = []
        for node in places.members[step]:
            words = [node.op.name, node.shape, node.dtype.str, node.name, places.at[node].id[len(step.id) :]]
            numbers: list[int] = []
            flatten(node.static, words, numbers)
            own = places.seats[node]
            entries.append((tuple(words), tuple(numbers)))
            entries += [argument(parent, step, own) for parent in node.parents]
            if not within:
                found = [(there(user, step, own), user) for user in users[node]]
                outside = [(w, u.op.name, u.shape, u.name) for w, u in found if type(w) is not int]
                entries.append((tuple(outside), ()))
        return [known.setdefault(entry, entry) for entry in entries]

    kinds: dict[Hashable, int] = {}
    found: dict[Place, int] = {}
    for loop in places.loops:
        sketches = [sketch(step) for step in loop]
        if within:
            forget_ends(loop[0].loop, sketches)
        words = [tuple(entry[0] for entry in entries) for entries in sketches]
        numbers = [[number for entry in entries for number in entry[1]] for entries in sketches]
        for i in range(len(loop)):
            alike = [k for k in (i - 1, i + 1) if 0 <= k < len(loop) and words[k] == words[i]]
            other = alike[0] if alike else i
            pairs = zip(numbers[i], numbers[other], strict=True)
            moving = [(1, n - i) if n - m == i - other != 0 else (0, n) for n, m in pairs]
            found[loop[i]] = kinds.setdefault((loop[i].loop, words[i], tuple(moving)), len(kinds))
    return found


def forget_ends(loop: int, sketches: list[list[Entry]]) -> None:
    """Where the next step reads a step that for this one would be before the first, let both read the same."""
    last = len(sketches) - 1
    for i, inner in [*((i, i + 1) for i in reversed(range(last))), *((i, i - 1) for i in range(1, last + 1))]:
        if len(sketches[i]) != len(sketches[inner]):
            continue
        for k, (words, numbers) in enumerate(sketches[inner]):
            where = words[0] if words else None
            if isinstance(where, tuple) and len(where) == 3 and where[0] == loop and not 0 <= i + where[1] <= last:
                sketches[i][k] = words, numbers


def flatten(static: Any, words: list[Hashable], numbers: list[int]) -> None:
    """Static arguments as words that compare and numbers that may move."""
    stack = [static]
    while stack:
        value = stack.pop()
        if type(value) is int:
            numbers.append(value)
            words.append(int)
        elif isinstance(value, tuple | list):
            words.append(len(value))
            stack.extend(value)
        elif isinstance(value, slice):
            words.append(slice)
            stack += [value.start, value.stop, value.step]
        elif isinstance(value, dict):
            words.append(tuple(value))
            stack.extend(value.values())
        elif hasattr(value, "tobytes"):
            words.append((getattr(value, "shape", ()), str(value.dtype), value.tobytes()))
        else:
            words.append(repr(value))
