"""What a node is called in a picture: its symbol, its label, its tooltip, which keeps the full text."""

import re
from collections.abc import Sequence
from itertools import pairwise

from tinygrad_seq.engine.graph import Detached, Node
from tinygrad_seq.engine.timeline import ScopeVisit

symbols = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−", "matmul": "@", "power": "^",
    "sqrt": "√", "sigmoid": "σ", "sum": "Σ", "transpose": "T", "getitem": "[ ]", "take": "look up",
    "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "=", "not_equal": "≠",
    "logsumexp": "log Σ exp", "log_softmax": "log softmax", "sum_to": "sum to", "broadcast_to": "broadcast",
    "scatter_rows": "scatter rows", "concatenate": "concat",
}  # fmt: skip


def symbol(node: Node) -> str:
    """The op as on a blackboard."""
    name: str = "" if node.op is None else node.op.name
    return symbols.get(name, name)


def shortened(text: str, length: int = 24) -> str:
    """A text fit for a label: one line, nothing invisible, not too long."""
    line = re.sub(r"\s+", " ", printable(text)).strip()
    return line if len(line) <= length else line[: length - 1] + "…"


def printable(text: str) -> str:
    """Without control characters (newlines and tabs stay) and other code points that XML does not take."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)


def kind_of_leaf(node: Node, role: str) -> str:
    """What to call a leaf that nobody named."""
    if not node.shape and node.static and "value" in node.static:
        return f"{node.static['value']:.4g}"
    if not node.shape:
        return "const"
    kinds = {"i": "ids", "u": "ids", "b": "mask"}
    return "w" if role == "weight" else kinds.get(node.dtype.kind, "x")


def cut(node: Node) -> str:
    """What is added to the name of a constant that was cut from its history."""
    return " · detached" if isinstance(node, Detached) else ""


def times(steps: Sequence[ScopeVisit], count: bool = True) -> str:
    """Several steps of a loop in a few words."""
    texts = [shortened(step.text) for step in steps]
    together = all(after.order - before.order == 1 for before, after in pairwise(steps))
    if len(steps) < 4 and not together:
        listed = ", ".join(texts)
    else:
        listed = texts[0] if len(texts) == 1 else f"{texts[0]} … {texts[-1]}"
        listed = listed if together else f"{texts[0]}, {texts[1]}, … {texts[-1]}"
    return f"t = {listed}" + (f" · × {len(steps)}" if count else "")


def shape(node: Node) -> str:
    """The shape of its output, or of all of them, and the dtype."""
    several = node.shape and isinstance(node.shape[0], tuple)
    return f"{' '.join(map(str, node.shape)) if several else node.shape} {node.dtype}"


def tooltip(node: Node, visit: ScopeVisit | None) -> str:
    """Everything there is to say about a node without its values."""
    lines = [] if node.name is None else [node.name]
    if node.op is None:
        kind = "parameter or variable" if node.requires_grad else "constant" if not node.shape else "input"
        lines.append("detached: no gradient goes on from here" if isinstance(node, Detached) else kind)
    else:
        lines.append(node.op.name)
    lines.append(shape(node))
    if visit is not None and visit.outer is not None:
        lines.append(" / ".join(title(link) for link in chain(visit)))
    if node.line is not None:
        lines.append(node.line)
    return printable("\n".join(lines))


def chain(visit: ScopeVisit) -> list[ScopeVisit]:
    """A place and those around it, outermost first."""
    links: list[ScopeVisit] = []
    link: ScopeVisit | None = visit
    while link is not None and link.outer is not None:
        links.append(link)
        link = link.outer
    return links[::-1]


def title(visit: ScopeVisit) -> str:
    """What a cluster says about itself."""
    text = shortened(visit.text, 40)
    if visit.key == "step":
        return f"t = {text}"
    if visit.key in ("module", "direction"):
        return text
    return "gradient" if visit.key == "grad" else f"{visit.key} {text}"
