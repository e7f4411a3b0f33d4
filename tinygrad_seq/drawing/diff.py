"""Say what is different in two pictures, one line each: how an LSTM is not an RNN, or four steps are not three.

Both trees of clusters are walked side by side. Clusters and ops are told by their names, never by their numbers; a loop
is compared step by step, also where a picture leaves steps out, and what several steps have in common is said once.
What follows from a difference already told (a sum over one more step) is not told again.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, groupby, zip_longest
from pathlib import Path
from typing import Any

from tinygrad_seq.drawing.page.side_by_side import side_by_side
from tinygrad_seq.drawing.picture import Drawing
from tinygrad_seq.drawing.render.json_text import natural
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import Cluster, Item, View, leaves, within
from tinygrad_seq.saving.archive import path_of
from tinygrad_seq.saving.atomic_file import write_file

Times = Sequence[str]  # titles of steps
Place = tuple[str, str]  # where something is, in either picture
top = ("", "")
Job = tuple[Any, Any, Place, Times]  # two clusters or items to compare, where they are, and at which steps
Loop = dict[str, Cluster]  # for every step, drawn or not, the cluster that shows what is in it


class Difference(tuple[str, ...]):
    """The lines that tell two drawings apart; printed, one line a difference; `.save("x.html")`: both side by side.

    >>> import tinygrad_seq as ts
    >>> x = ts.tensor([1.0, 2.0], requires_grad=True)
    >>> found = ts.diff(ts.draw(x.sum()), ts.draw(x.exp().sum()))
    >>> len(found), found[0]
    (1, '+ exp')
    """

    drawings: tuple[Drawing, Drawing]
    places: list[tuple[list[str], list[str]]]  # of every line, the ids of what it is about, in either drawing

    def __repr__(self) -> str:
        return "\n".join(self) or "no difference"

    @property
    def html(self) -> str:
        """Both drawings side by side, what differs marked, as one HTML page."""
        return side_by_side([drawing.svg for drawing in self.drawings], self, self.places)

    def save(self, path: str | Path) -> None:
        """Write the page. Raises ValueError for a name that does not end in .html, TypeError for what is no path.

        >>> import tempfile, os, tinygrad_seq as ts
        >>> drawing = ts.draw(ts.ones(2, requires_grad=True).sum())
        >>> ts.diff(drawing, drawing).save(os.path.join(tempfile.mkdtemp(), "page.html"))
        """
        file = Path(path_of("save", path))
        if file.suffix.lower() != ".html":
            raise ValueError(f"save: the name of a difference must end in .html, got {file.name!r:.80}")
        write_file(str(file), self.html.encode())


def diff(a: Drawing, b: Drawing) -> Difference:
    """Say what has to change in a picture to make it another, one line for each difference.

    "+" is in b only, "-" in a only, "~" in both but not the same. Loops over time are compared step by step, whichever
    steps are drawn; where it is the same in several steps, one line names them all. Numbers and colours do not count.

    Raises TypeError for anything but two Drawings.

    >>> import tinygrad_seq as ts
    >>> rnn = ts.nn.RNN(3, 4)
    >>> three, four = (ts.draw(rnn(ts.zeros(steps, 2, 3))[0]) for steps in (3, 4))
    >>> ts.diff(three, four)
    + step t = 3 in RNN / layer 0: 5 ops
    >>> ts.diff(three, three)
    no difference

    `ts.diff(a, b).save("x.html")` writes a page with both side by side, where what differs is marked.
    """
    for drawing in (a, b):
        if not isinstance(drawing, Drawing):
            raise TypeError(f"diff: expected two Drawings, as ts.draw makes them, got {type(drawing).__name__}")
    comparison = Comparison(a.view, b.view)
    found = Difference(comparison.lines())
    found.drawings, found.places = (a, b), [(list(old), list(new)) for old, new in comparison.places.values()]
    return found


class Comparison:
    """Two views side by side, and what was found to differ."""

    def __init__(self, a: View, b: View) -> None:
        self.views, self.reads, self.loops = (a, b), (reads(a), reads(b)), (loops_of(a), loops_of(b))
        self.found: dict[tuple[str, str, str], dict[str, None]] = {}  # (what, where, details): at which steps
        self.places: dict[tuple[str, str, str], tuple[dict[str, None], dict[str, None]]] = {}  # of the same: which ids
        self.changed: set[str] = set()  # names of ops that only one of the two has
        self.lengths: set[tuple[int, int]] = set()  # numbers of steps of loops, which shapes may follow

    def lines(self) -> list[str]:
        """Return a line for each difference: of clusters and ops, then of what both have, then of parameters."""
        same: list[Job] = []
        stack: list[Job] = [(self.views[0].top, self.views[1].top, top, ())]
        while stack:
            job = stack.pop()
            stack += reversed(self.inner_clusters(*job) + self.steps(*job))
            same += self.items(*job)
        for job in same:
            self.compare(*job)
        old, new = ({row.label: row.shape for row in view.legend} for view in self.views)
        for label, shape in (old | new).items():
            if (label in old) != (label in new):
                self.tell("-" if label in old else "+", label, details=str(shape))
            elif old[label] != shape:
                self.tell("~", label, details=f"{old[label]} is {shape}")
        return [f"{what}{place(path, list(times))}{details}" for (what, path, details), times in self.found.items()]

    def tell(
        self, sign: str, what: str, path: Place = top, times: Times = (), details: str = "", *things: Cluster | Item
    ) -> None:
        """Keep a sentence about things of a ("-"), of b ("+") or one of each ("~"); said of other steps too, it is one.
        """
        said = f"{sign} {what}", path[sign != "-"], details and f": {details}"
        self.found.setdefault(said, {}).update(dict.fromkeys(times))
        cut = {"-": len(things), "+": 0, "~": 1}[sign]
        for ids, side in zip(self.places.setdefault(said, ({}, {})), (things[:cut], things[cut:])):
            ids.update({thing.id: None for thing in side})

    def inner_clusters(self, a: Cluster, b: Cluster, path: Place, times: Times) -> list[Job]:
        """Pair the clusters in two clusters; tell which are renamed, and which have no partner."""
        old, new = ([inner for inner in cluster.inner if inner.key not in ("step", "gap")] for cluster in (a, b))
        pairs, old, new = paired(old, new, lambda cluster: (cluster.key, cluster.label))
        renamed, old, new = paired(old, new, lambda cluster: cluster.key)
        for one, other in renamed:
            self.tell("~", f"{called(one)} is {other.label}", path, times, "", one, other)
        for sign, alone in (("-", old), ("+", new)):
            for inner in alone:
                self.tell(sign, called(inner), path, times, ops(inner), inner)
        return [(one, other, joined(path, one.label, other.label), times) for one, other in pairs + renamed]

    def steps(self, a: Cluster, b: Cluster, path: Place, times: Times) -> list[Job]:
        """Pair the steps of the loops in two clusters by their titles; tell which have no partner."""
        path = joined(path, span(times), span(times))
        jobs: list[Job] = []
        olds, news = ([loops[c.id] for c in at.inner if c.id in loops] for at, loops in zip((a, b), self.loops))
        for old, new in zip_longest(olds, news, fillvalue=Loop()):
            self.lengths.add((len(old), len(new)))
            for sign, here, there in (("-", old, new), ("+", new, old)):
                counts = {title: "" if title in there else ops(cluster) for title, cluster in here.items()}
                for told, run in groupby(here, counts.__getitem__):
                    if told:
                        first, *more = titles = list(run)
                        what = f"{len(titles)} steps, {span(titles)}," if more else f"step {first}"
                        self.tell(sign, what, path, (), told + " each" * bool(more), *map(here.__getitem__, titles))
            pairs = grouped(((old[title].id, new[title].id), title) for title in new if title in old)
            jobs += [(old[titles[0]], new[titles[0]], path, tuple(titles)) for titles in pairs.values()]
        return jobs

    def items(self, a: Cluster, b: Cluster, path: Place, times: Times) -> list[Job]:
        """Pair the items of two clusters by their texts, in order; tell which have no partner."""
        skipped = ("middle", "passing", "initial")
        old, new = ([item for item in cluster.items if item.role not in skipped] for cluster in (a, b))
        pairs, old, new = paired(old, new, text_of)
        for sign, rest in (("-", old), ("+", new)):
            for text, same in grouped((text_of(item), item) for item in rest).items():
                what = text + (f" ({len(same)} times)" if len(same) > 1 else "")
                self.tell(sign, what, path, times, "", *same)
        self.changed.update(map(name_of, old + new))
        return [(one, other, path, times) for one, other in pairs]

    def compare(self, a: Item, b: Item, path: Place, times: Times) -> None:
        """Tell how two items of one name differ in their shapes, and in what they read."""
        told = a.role == "weight" and self.views[0].legend and self.views[1].legend  # with the Parameters
        if a.shape != b.shape and not told and not self.follows(a.shape, b.shape):
            self.tell("~", text_of(a), path, times, f"{a.shape} is {b.shape}".replace("\n", ", "), a, b)
        one, other = (sorted(set(reads[item.id])) for reads, item in zip(self.reads, (a, b)))
        old, new = ({name for _, name in read} for read in (one, other))
        if old != new and self.changed.isdisjoint(old ^ new):
            gone, come = (", ".join(sorted(names)) for names in (old - new, new - old))
            details = f"reads {come or 'nothing'} instead of {gone}" if gone else f"reads {come}, too"
            self.tell("~", text_of(a), path, times, details, a, b)
        before, after = ([name for operand, name in read if operand] for read in (one, other))
        if old == new and before != after and sorted(before) == sorted(after):
            details = f"operands {', '.join(after)} instead of {', '.join(before)}"
            self.tell("~", text_of(a), path, times, details, a, b)

    def follows(self, a: str, b: str) -> bool:
        """Tell whether a shape is another one because there are more steps."""
        (old, dtype), (new, other_dtype) = (text.rpartition(" ")[::2] for text in (a, b))
        one, other = ([int(number) for number in re.findall(r"\d+", text)] for text in (old, new))
        if dtype != other_dtype or len(one) != len(other):  # one output for each step
            return dtype == other_dtype and set(re.findall(r"\(.*?\)", a)) == set(re.findall(r"\(.*?\)", b))
        longer = [(s, t) for s, t in self.lengths if s != t]
        return all(x == y or any(x * t == y * s for s, t in longer) for x, y in zip(one, other))


def paired(old: list[Any], new: list[Any], name: Callable[[Any], Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return pairs of one name, in their order, and what has no partner."""
    one, other = numbered(old, name), numbered(new, name)
    pairs = [(thing, other[key]) for key, thing in one.items() if key in other]
    return pairs, [one[key] for key in one if key not in other], [other[key] for key in other if key not in one]


def numbered(things: Iterable[Any], name: Callable[[Any], Any]) -> dict[Any, Any]:
    """Return things by their name, and how many of that name came before."""
    numbers: defaultdict[Any, Iterator[int]] = defaultdict(count)
    return {(name(thing), next(numbers[name(thing)])): thing for thing in things}


def reads(view: View) -> dict[str, list[tuple[int, str]]]:
    """Return what every item reads, by name, and as which operand, where that counts."""
    names = {item.id: name_of(item) for cluster in within(view.top) for item in cluster.items}
    names |= {id: names[twin] for id, twin in view.twins.items() if twin in names}  # whichever step it is of
    return grouped((e.target, (e.operand, names[e.source] + " (detached)" * (e.role == "cut"))) for e in view.edges)


def name_of(item: Item) -> str:
    """Return what an item is called where it is read: a state before the first step as the state."""
    name = (item.label or item.symbol).replace("\n", " ")
    return name.partition(" · ")[0].removesuffix("0") if item.role == "initial" else name


def text_of(item: Item) -> str:
    """Return what stands on an item."""
    return f"{item.symbol} {item.label}".strip().replace("\n", " ")


def place(path: str, times: list[str]) -> str:
    """Say where, and at which steps."""
    where = ", ".join(filter(None, (path, span(sorted(times, key=natural)))))
    return f" in {where}" if where else ""


def joined(path: Place, *labels: str) -> Place:
    """Add a label to either path."""
    old, new = (" / ".join(filter(None, part)) for part in zip(path, labels))
    return old, new


def called(cluster: Cluster) -> str:
    """Return what a cluster is called in a sentence."""
    return cluster.label if cluster.label.startswith(cluster.key) else f"{cluster.key} {cluster.label}"


def ops(cluster: Cluster) -> str:
    """Say how many ops are in a cluster; of a step, without the other steps that it stands for."""
    drawn = sum(item.ordinal >= 0 and item.role not in leaves for inner in within(cluster) for item in inner.items)
    number = drawn + sum(inner.ops for inner in within(cluster) if inner is not cluster or cluster.key != "step")
    return f"{number} op{'s' * (number != 1)}"


def loops_of(view: View) -> dict[str, Loop]:
    """Return the loops, each by the id of its first cluster."""
    found: dict[str, Loop] = {}
    for loop in view.loops:
        drawn = {title: part for part in loop if part.key != "gap" for title in part.steps}
        steps = ((title, like) for part in loop for title, like in zip(part.steps, part.like or part.steps))
        found[loop[0].id] = {title: drawn[like] for title, like in steps}
    return found


def span(titles: Sequence[str]) -> str:
    """Say several steps in a few words: "t = 0 … 2", or each of them."""
    numbers = [re.fullmatch(r"t = (-?\d+)", title) for title in titles]
    values = [int(number[1]) for number in numbers if number is not None]
    if len(titles) > 1 and values == list(range(values[0], values[0] + len(titles))):
        return f"{titles[0]} … {values[-1]}"
    return ", ".join([*titles[:1], *(title.removeprefix("t = ") for title in titles[1:])])
