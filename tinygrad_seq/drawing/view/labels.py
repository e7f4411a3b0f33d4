"""Put a graph into the words of its picture: symbols, labels, and tooltips, which keep the full text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_seq.drawing.view.conventions import in_order, places, squashing, symbols
from tinygrad_seq.drawing.view.graph_facts import GraphFacts, reads_of
from tinygrad_seq.drawing.view.grouped import grouped
from tinygrad_seq.drawing.view.model import Item
from tinygrad_seq.drawing.view.rules import Rule
from tinygrad_seq.drawing.view.same_numbers import called, has_parts, parts_of
from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.timeline import FoundStep, ScopeVisit


@dataclass(frozen=True, slots=True)
class DraftItem:
    """An item that has no texts yet."""

    id: str
    role: str
    visit: ScopeVisit  # in whose cluster it is drawn
    node: Node
    name: str | None = None
    leaves: tuple[Node, ...] = ()  # of a proxy: what it stands for
    colour: int = -1
    about: str = ""  # of what passes through a gap, or into a step: what becomes of it; of a leaf: which steps read it


def shortened(text: str, length: int = 24) -> str:
    """Return a text fit for a label: one line, nothing invisible, not too long."""
    line = re.sub(r"\s+", " ", printable(text)).strip()
    return line if len(line) <= length else line[: length - 1] + "…"


def printable(text: str) -> str:
    """Replace control characters (newlines and tabs stay) and other code points that XML does not take."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)


def title(visit: ScopeVisit) -> str:
    """Return what a cluster says about itself."""
    if visit.key == "grad":
        return "gradient"
    before = {
        "step": "" if isinstance(visit.value, str) else "step " if isinstance(visit.value, FoundStep) else "t = ",
        "module": "", "direction": "",
    }  # fmt: skip
    return before.get(visit.key, f"{visit.key} ") + shortened(places.get((visit.key, visit.text), visit.text), 40)


def titles_of(outer: Mapping[ScopeVisit, ScopeVisit]) -> dict[ScopeVisit, str]:
    """Return the titles of all places; of two modules of one name in the same place, each with a number."""
    modules: dict[ScopeVisit, Any] = {}  # of every place, which module it is in
    alike: dict[Any, dict[Any, int]] = {}  # by the module around and a name: which modules have it
    numbers = {}
    for visit, around in outer.items():  # outer places first
        modules[visit] = module = modules.get(around)
        if visit.key == "module":
            modules[visit] = itself = visit.value if type(visit.value) is str else id(visit.value)
            numbers[visit] = alike.setdefault((module, visit.text), {})
            numbers[visit].setdefault(itself, len(numbers[visit]) + 1)
    return {
        visit: f"{title(visit)} ({numbers[visit][modules[visit]]})" if len(numbers.get(visit, ())) > 1 else title(visit)
        for visit in outer
    }


def several(steps: Sequence[ScopeVisit], way: int = 1) -> str:
    """Return several steps of a loop in a few words; `way`: -1 if time runs from the last to the first."""
    text = spans(steps)
    text = " … ".join(text.split(" … ")[::-1]) if way < 0 and "," not in text else text
    return f"step{'s' * (len(steps) > 1)} {text}" if isinstance(steps[0].value, FoundStep) else f"t = {text}"


def spans(steps: Sequence[ScopeVisit], most: int = 3) -> str:
    """Return the numbers of steps, those in a row from the first to the last: "0 … 4, 6, 8 … 12"."""
    rows: list[list[ScopeVisit]] = [[]]
    for step in steps:
        last = rows[-1][-1] if rows[-1] else step
        counted = isinstance(step.value, int) and isinstance(last.value, int)
        if step.order > last.order + 1 or (counted and step.value > last.value + 1):
            rows.append([])
        rows[-1].append(step)
    ends = [[shortened(step.text) for step in (row[0], row[-1])[: len(row)]] for row in rows]
    texts = [(", " if len(row) == 2 and len(rows) > 1 else " … ").join(words) for row, words in zip(rows, ends)]
    return ", ".join(texts if len(texts) <= most else [*texts[: most - 1], f"… {texts[-1]}"])


def other(varying: Sequence[str]) -> str:
    """Say what differs between steps that are the same."""
    return f" · {' and '.join(varying)} differ" if varying else ""


def gap_text(
    steps: Sequence[ScopeVisit], like: Sequence[ScopeVisit], varying: Sequence[str]
) -> tuple[str, str, str]:
    """Return the title of a gap, its label, and its tooltip; `like`: which step each of its steps is again."""
    kinds = grouped(zip(like, steps))
    count = f"{len(steps)} steps{f' of {len(kinds)} kinds' if len(kinds) > 1 else ', same ops'}"
    times = f"{several(steps)}{other(varying)}"
    whole, short = (
        [f"{spans(those, most)}: like {several([kind])}" for kind, those in kinds.items()] for most in (len(steps), 3)
    )
    follows = len(kinds) == 1 and like[0].order == steps[0].order - 1
    about = f"{len(steps)} steps, {times}: the same ops, wired the same way, as in the step named\n"
    return count, "\n".join([count, times, *([] if follows else short)]), about + "\n".join(whole)


def path_of(visit: ScopeVisit, titles: Mapping[ScopeVisit, str]) -> str | None:
    """Return the titles of the places around a place, and its own; None for the top."""
    return " / ".join(titles[place] for place in reversed([*places_around(visit)])) or None


def places_around(visit: ScopeVisit) -> Iterator[ScopeVisit]:
    """Yield a place and those around it, from the inside out, without the top."""
    while visit.outer is not None:
        yield visit
        visit = visit.outer


def item_of(
    draft: DraftItem, graph: GraphFacts, path: str | None, value: float | None, number: str, printed: str, rolled: bool
) -> Item:
    """Return the item of a draft, with its texts, and with its number, where it has one; `number` says of what."""
    node, leaves, role, facts = draft.node, draft.leaves, draft.role, graph.of.get(draft.node)
    op = symbol(node, index=not (rolled and facts and facts.positions))  # one step for many has no index
    told = "" if value is None else f"\n{number.partition(' (')[0]} {figure(value, 3)}"
    names = [leaf.name or draft.name or kind_of_leaf(leaf, role) for leaf in leaves] or [draft.name or ""]
    label = "\n+ ".join(map(shortened, names)) + (" · detached" if isinstance(node, Detached) else "")
    label += draft.about if leaves else ""
    if role == "passing":
        label = label or op
        return Item(draft.id, role, "", label, label + draft.about + told, -1, value=value)
    shapes = {each: shape(each) for each in leaves or (node,)}
    about = "\n\n".join(tooltip(each, role, text, path) for each, text in shapes.items())
    is_op, text = not leaves and role != "saved", "\n".join(shapes.values())
    numbers = "" if printed == label else printed.removeprefix(label + "\n")  # a number is its own name
    return Item(
        draft.id, role, op if is_op else "", label, about + told, facts.ordinal if facts else -1, draft.colour, value,
        text, numbers if is_op or len(leaves) == 1 else "", formula(graph, node) if is_op else "",
    )  # fmt: skip


def symbol(node: Node, index: bool = False) -> str:
    """Return the op as on a blackboard; `index`: with what it picks, "[2]"."""
    if node.op is None:
        return ""
    if index and node.op.name == "getitem" and node.static:
        return f"[{shortened(index_text(node.static['index']), 20)}]"
    name = "reshape" if node.op.name == "stack" and len(node.parents) == 1 else str(node.op.name)
    derived = isinstance(node, Rule) and len(node.of.parents) == 1 and node.op is node.of.op
    summed = isinstance(node, Rule) and sum(isinstance(parent, Rule) for parent in node.parents) > 1
    times = ("sum × " if summed else "× ") * (derived and node.op.name in squashing)
    return times + symbols.get(name, name) + "′" * derived


def formula(graph: GraphFacts, node: Node) -> str:
    """Return an op whose order counts with what it reads: "1 − forget", "h if mask else old h"; "" where that has no
    name, or is a weight that is multiplied. "concat [x, old h]": a state comes in from the side, whichever it is.
    "split into input, forget": the gates that its parts become, in their order; its gradient is a "concat of" theirs.
    """
    split, sign = (node.of, "of") if isinstance(node, Rule) and symbol(node) == "concat" else (node, "into")
    parts = graph.of[split].parts if split in graph.of else {}  # it is not where a gradient is of another loss, too
    if parts and all(parts.values()) and len(set(parts.values())) == len(split.shape):
        return f"{symbol(node)} {sign}\n{', '.join(parts[i] for i in sorted(parts))}"
    if node.op is None or isinstance(node, Rule) or node.op.name not in (*in_order, "where"):
        return " " if isinstance(node, Rule) and not node.ops else ""  # no sum: one gradient comes in
    sources = [graph.of[parent].source for parent in node.parents]
    if node.op.name == "matmul" and any(graph.of[parent].role == "weight" for parent in node.parents):
        return ""
    words = [word(graph, node, i) for i in range(len(sources))]
    if node.op.name == "where":
        return f"{words[1]} if {words[0]}\nelse {words[2]}"
    if node.op.name == "concatenate":
        states = any(graph.of[node].delays) or any(initial_state(graph, x, node, i) for i, x in enumerate(node.parents))
        return f"{symbol(node)} [{', '.join(words)}]" if states and len(words) == 2 else ""
    named = any(source.name for source in sources) and len(set(words)) > 1
    return f" {symbol(node)} ".join(words) if named else ""


def word(graph: GraphFacts, node: Node, argument: int) -> str:
    """Return what an op reads in a word: its name, or else its op, or "…"; with "old" what an earlier step has made."""
    parent = node.parents[argument]
    source = graph.of[parent].source
    if source.op is None:
        name = initial_state(graph, parent, node, argument) or source.name
        return shortened(name or kind_of_leaf(source, graph.of[source].role), 12)
    sign = symbol(source)
    name = called(source) or (sign if sign.isalpha() or len(sign) > 1 else "…")
    return shortened(f"old {name}" if graph.of[node].delays[argument] else name, 12)


def index_text(index: Any) -> str:
    """Return an index in a few words: "-1", ":, 1:3", "target of each row"."""
    names = dict(named_arrays(index))
    words = []
    for i, part in enumerate(parts_of(index)):
        if isinstance(part, slice):
            ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
            words.append(":".join(ends[: 2 + bool(ends[2])]))
        else:
            words.append(names.get(i) or ("…" if part is Ellipsis else str(part)))
    return ", ".join(words).replace("-", "−").replace("rows, targets", "target of each row")


def named_arrays(index: Any) -> list[tuple[int, str]]:
    """Return which parts of an index are arrays, and what to call them: of several the last says what is picked in each
    row.
    """
    parts = parts_of(index)
    arrays = [i for i, part in enumerate(parts) if hasattr(part, "dtype")]
    last = "targets" if len(arrays) > 1 else "ids"
    return [(i, "mask" if parts[i].dtype.kind == "b" else last if i == arrays[-1] else "rows") for i in arrays]


def index_arrays(node: Node) -> list[tuple[str, Any]]:
    """Return the arrays by which an op picks something, with their names; without the numbers of rows."""
    index = node.static["index"] if node.op.name == "getitem" and node.static else ()
    return [(name, parts_of(index)[i]) for i, name in named_arrays(index) if name != "rows"]


def initial_state(graph: GraphFacts, leaf: Node, user: Node, argument: int) -> str | None:
    """Return what a state before the first step is called: where the next step reads "h" from this one, "h0"."""
    if leaf.op is None and leaf.name and leaf.name[-1] == "0" and leaf.name[:-1] in graph.states:
        return leaf.name
    for read in reads_of(graph, user, argument):
        if (read, leaf) in graph.starts:
            return leaf.name or before_first(graph.starts[read, leaf])
    if leaf.op is not None or (leaf.name is not None and not isinstance(leaf, Detached)):
        return None
    for step, _ in graph.of[user].positions[-1:]:
        later = 1 if graph.way.get(step.loop, 0) > 0 else -1
        is_first = step.order == (0 if later > 0 else len(graph.timeline.loops[step.loop]) - 1)
        for read in reads_of(graph, user, argument, later) if is_first else ():
            if read in graph.inner:  # nothing is recorded of what is made of a constant state
                return made_of_start(graph, graph.inner[read])
    return None


def before_first(name: str) -> str:
    """Return what a state of this name is called before the first step."""
    return f"{name}0" if name else "start"


def made_of_start(graph: GraphFacts, later: Node) -> str:
    """Return what an op would say of the first state: "[x, h0]", where a later step makes it of its own."""
    words = [
        before_first(parent.name or "") if delay
        else parent.name or symbol(parent) or kind_of_leaf(parent, graph.of[parent].role)
        for delay, parent in zip(graph.of[later].delays, later.parents)
    ]  # fmt: skip
    if later.op.name == "concatenate":
        return f"[{', '.join(words)}]"
    return f" {symbol(later)} ".join(words) if len(words) == 2 else f"{symbol(later)} {', '.join(words)}"


def kind_of_leaf(node: Node, role: str) -> str:
    """Return what to call a leaf that nobody named."""
    if node.static and (role == "constant" or not node.shape):  # one number everywhere
        return figure(node.static["value"] if node.owner is None else node.owner.array.item(0))  # as it is now
    plain = {"weight": "w", "input": "x"}.get(role, "saved" if node.scope.key == "grad" else "const")
    return {"i": "ids", "u": "ids", "b": "mask"}.get(node.dtype.kind, plain) if node.shape else "const"


def figure(number: float, digits: int = 4) -> str:
    """Return a number as it is printed."""
    return f"{number:.{digits}g}".replace("-", "−")


def shape(node: Node) -> str:
    """Return the shape of its output, or of all of them, and the dtype."""
    return f"{' '.join(map(str, node.shape)) if has_parts(node) else node.shape} {node.dtype}"


def tooltip(node: Node, role: str, shape: str, path: str | None) -> str:
    """Return everything there is to say about a node without its values."""
    data = "parameter or variable" if node.requires_grad else "constant" if role == "constant" else "input"
    leaf = "detached: no gradient goes on from here" if isinstance(node, Detached) else data
    kind = leaf if node.op is None else str(node.op.name)
    if node.op is not None and node.op.name == "getitem" and node.static:
        kind += f" [{index_text(node.static['index'])}]"
    lines = (node.name, kind, shape, path, node.line)
    return printable("\n".join(line for line in lines if line is not None))
