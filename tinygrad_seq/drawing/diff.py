"""What is different in two pictures, one line each: how an LSTM is not an RNN, or four steps are not three.

Both trees of clusters are walked side by side. Clusters and ops are told by what they are called, never by their
number; a loop is compared step by step, also where a picture leaves steps out, and what all steps have in common is
said once. What follows from a difference already told (a sum over one more step) is not told again.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from tinygrad_seq.drawing.listing import natural
from tinygrad_seq.drawing.picture import Drawing
from tinygrad_seq.drawing.view import Cluster, Item, View, leaves, within

Times = Sequence[str]  # titles of steps
Job = tuple[Any, Any, str, Times]  # two clusters or items to compare, where they are, and at which steps
Loop = dict[str, Cluster]  # for every step, drawn or not, the cluster that shows what is in it


class Difference(tuple[str, ...]):
    """The lines that tell two drawings apart; printed, one line a difference."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(self) or "no difference"


def diff(a: Drawing, b: Drawing) -> Difference:
    """What has to change in a picture to make it another, one line for each difference.

    "+" is in b only, "-" in a only, "~" in both but not the same. Loops over time are compared step by step, whichever
    steps are drawn; where it is the same in several steps, one line names them all. Numbers and colours do not count.

    Raises TypeError for anything but two Drawings.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(3, 4)
    >>> three, four = (ts.draw(rnn(ts.zeros(steps, 2, 3))[0]) for steps in (3, 4))
    >>> ts.diff(three, four)
    + step t = 3 in RNN / layer 0 · forward: 5 ops
    >>> ts.diff(three, three)
    no difference
    """
    for drawing in (a, b):
        if not isinstance(drawing, Drawing):
            raise TypeError(f"diff: expected two Drawings, as ts.draw makes them, got {type(drawing).__name__}")
    return Difference(Comparison(a.view, b.view).lines())


class Comparison:
    """Two views side by side, and what was found to differ."""

    def __init__(self, a: View, b: View) -> None:
        self.views = a, b
        self.reads, self.loops = (reads(a), reads(b)), (loops_of(a), loops_of(b))
        self.found: dict[tuple[str, str, str], dict[str, None]] = {}  # (what, where, details): at which steps
        self.changed: set[str] = set()  # names of ops that only one of the two has
        self.lengths: set[tuple[int, int]] = set()  # numbers of steps of loops, which shapes may follow

    def lines(self) -> list[str]:
        same: list[Job] = []
        stack: list[Job] = [(self.views[0].top, self.views[1].top, "", ())]
        while stack:
            job = stack.pop()
            stack += reversed(self.align(*job))
            same += self.match(*job)
        for job in same:
            self.compare(*job)
        rows = [{row.label: row.shape for row in view.legend} for view in self.views]
        for label in {**rows[0], **rows[1]}:
            one, other = (found.get(label) for found in rows)
            if one != other:
                sign = "+" if one is None else "-" if other is None else "~"
                self.tell(
                    sign, label, "", (), f"{one} is {other}" if sign == "~" else f"{other if one is None else one}"
                )
        return [f"{what}{place(path, list(times))}{details}" for (what, path, details), times in self.found.items()]

    def tell(self, sign: str, what: str, path: str, times: Times, details: str = "") -> None:
        found = self.found.setdefault((f"{sign} {what}", path, details and f": {details}"), {})
        found.update(dict.fromkeys(times))

    def align(self, a: Cluster, b: Cluster, path: str, times: Times) -> list[Job]:
        """Which clusters in two clusters belong together; what has no partner is a difference."""
        old, new = ([inner for inner in cluster.inner if inner.key not in ("step", "gap")] for cluster in (a, b))
        pairs, old, new = paired(old, new, lambda cluster: (cluster.key, cluster.label))
        renamed, old, new = paired(old, new, lambda cluster: cluster.key)
        for one, other in renamed:
            self.tell("~", f"{called(one)} is {other.label}", path, times)
        for sign, rest in (("-", old), ("+", new)):
            for inner in rest:
                self.tell(sign, called(inner), path, times, ops(inner))
        jobs: list[Job] = [(one, other, joined(path, other.label), times) for one, other in pairs + renamed]
        here = joined(path, span(times)) if times else path
        for one, other in zip_longest(self.loops[0].get(a.id, ()), self.loops[1].get(b.id, ())):
            jobs += self.align_steps(one or {}, other or {}, here)
        return jobs

    def align_steps(self, a: Loop, b: Loop, path: str) -> list[Job]:
        """The steps of two loops, by their titles."""
        self.lengths.add((len(a), len(b)))
        for sign, one, other in (("-", a, b), ("+", b, a)):
            for titles in runs(one, other):
                what = f"step {titles[0]}" if len(titles) == 1 else f"{len(titles)} steps, {span(titles)},"
                self.tell(sign, what, path, (), ops(one[titles[0]]) + (" each" if len(titles) > 1 else ""))
        pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for title in b:
            if title in a:
                pairs[a[title].id, b[title].id].append(title)
        return [(a[titles[0]], b[titles[0]], path, tuple(titles)) for titles in pairs.values()]

    def match(self, a: Cluster, b: Cluster, path: str, times: Times) -> list[Job]:
        """The items of two clusters that are called the same, in their order; one without a partner is a difference."""
        skipped = ("middle", "passing", "initial")
        old, new = ([item for item in cluster.items if item.role not in skipped] for cluster in (a, b))
        pairs, old, new = paired(old, new, text_of)
        for sign, rest in (("-", old), ("+", new)):
            for text, count in Counter(map(text_of, rest)).items():
                self.tell(sign, text + (f" ({count} times)" if count > 1 else ""), path, times)
            self.changed.update(map(name_of, rest))
        return [(one, other, path, times) for one, other in pairs]

    def compare(self, a: Item, b: Item, path: str, times: Times) -> None:
        """Two items of one name: their shapes, and what they read."""
        told = a.role == "weight" and self.views[0].legend and self.views[1].legend  # with the Parameters
        if a.shape != b.shape and not told and not self.follows(a.shape, b.shape):
            self.tell("~", text_of(a), path, times, f"{a.shape} is {b.shape}".replace("\n", ", "))
        old, new = self.reads[0].get(a.id, set()), self.reads[1].get(b.id, set())
        if old != new and self.changed.isdisjoint(old ^ new):
            gone, come = (", ".join(sorted(names)) for names in (old - new, new - old))
            details = f"reads {come or 'nothing'} instead of {gone}" if gone else f"reads {come}, too"
            self.tell("~", text_of(a), path, times, details)

    def follows(self, a: str, b: str) -> bool:
        """Is a shape another one because there are more steps?"""
        if a.rpartition(" ")[2] != b.rpartition(" ")[2]:
            return False  # another dtype
        old, new = ([int(number) for number in re.findall(r"\d+", text.rpartition(" ")[0])] for text in (a, b))
        if len(old) != len(new):  # one output for each step
            return set(re.findall(r"\(.*?\)", a)) == set(re.findall(r"\(.*?\)", b))
        longer = [(s, t) for s, t in self.lengths if s != t]
        return all(x == y or any(x * t == y * s for s, t in longer) for x, y in zip(old, new))


def paired(old: list[Any], new: list[Any], name: Callable[[Any], Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Pairs of one name, in their order, and what has no partner."""
    waiting: dict[Any, list[Any]] = defaultdict(list)
    for other in reversed(new):
        waiting[name(other)].append(other)
    pairs, alone = [], []
    for one in old:
        others = waiting[name(one)]
        if others:
            pairs.append((one, others.pop()))
        else:
            alone.append(one)
    left = {id(other) for others in waiting.values() for other in others}
    return pairs, alone, [other for other in new if id(other) in left]


def reads(view: View) -> dict[str, set[str]]:
    """For every item what it reads, by name."""
    items = {item.id: item for cluster in within(view.top) for item in cluster.items}
    found: dict[str, set[str]] = {}
    for edge in view.edges:
        cut = " (detached)" if edge.role == "cut" else ""
        found.setdefault(edge.target, set()).add(name_of(items[edge.source]) + cut)
    return found


def name_of(item: Item) -> str:
    """What it is called where it is read: a state before the first step as the state."""
    name = (item.label or item.symbol).replace("\n", " ")
    return name.partition(" · ")[0].removesuffix("0") if item.role == "initial" else name


def text_of(item: Item) -> str:
    return f"{item.symbol} {item.label}".strip().replace("\n", " ")


def place(path: str, times: list[str]) -> str:
    where = [path] if path else []
    where += [span(sorted(times, key=natural))] if times else []
    return f" in {', '.join(where)}" if where else ""


def joined(path: str, label: str) -> str:
    return f"{path} / {label}" if path else label


def called(cluster: Cluster) -> str:
    return cluster.label if cluster.label.startswith(cluster.key) else f"{cluster.key} {cluster.label}"


def ops(cluster: Cluster) -> str:
    """How many ops are in a cluster; of a step, without the other steps that it stands for."""
    drawn = sum(item.ordinal >= 0 and item.role not in leaves for inner in within(cluster) for item in inner.items)
    count = drawn + sum(inner.ops for inner in within(cluster) if inner is not cluster or cluster.key != "step")
    return f"{count} op" + ("" if count == 1 else "s")


def loops_of(view: View) -> dict[str, list[Loop]]:
    """The loops right inside each cluster, by its id."""
    outer = {inner.id: cluster.id for cluster in within(view.top) for inner in cluster.inner}
    found: dict[str, list[Loop]] = defaultdict(list)
    for loop in view.loops:
        steps: Loop = {}
        shown = loop[0]
        for part in loop:
            shown = shown if part.key == "gap" else part
            steps |= dict.fromkeys(part.steps, shown)
        found[outer[loop[0].id]].append(steps)
    return found


def runs(steps: Loop, other: Loop) -> list[list[str]]:
    """The titles that the other loop has not, those that follow each other and hold the same together."""
    found: list[list[str]] = []
    before = None
    for title, cluster in steps.items():
        if title not in other:
            if before is None or ops(steps[before]) != ops(cluster):
                found.append([])
            found[-1].append(title)
        before = None if title in other else title
    return found


def span(titles: Sequence[str]) -> str:
    """Several steps in a few words: "t = 0 … 2", or each of them."""
    numbers = [re.fullmatch(r"t = (-?\d+)", title) for title in titles]
    values = [int(number[1]) for number in numbers if number is not None]
    if len(titles) > 1 and values == list(range(values[0], values[0] + len(titles))):
        return f"{titles[0]} … {values[-1]}"
    return ", ".join([titles[0], *(title.removeprefix("t = ") for title in titles[1:])])
