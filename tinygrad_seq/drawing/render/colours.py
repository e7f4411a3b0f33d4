"""The colours of every picture, by role or by number. Six digits each: Graphviz 2.43 reads "#eef" as black."""

from math import isfinite, log10

from tinygrad_seq.drawing.view.model import Edge, Item, Scale

ink = "#1F2933"
quiet = "#5C6770"
line = "#858F9A"
paper = "#FFFFFF"
card = "#F6F7F9"
card_edge = "#C5CCD3"
ground = "#FCFCFD"
frame = "#E3E7EB"
state = "#26789B"
gradient = "#A9652A"
cut = "#B3207A"

fills = {
    "op": paper,
    "named": paper,
    "gate": "#F2B134",
    "state": state,
    "initial": "#D5E7EF",
    "passing": "#EAF2F6",
    "input": "#CC4419",
    "constant": "#E8EBEE",
    "saved": "#F3EADF",
    "gradient": gradient,
    "output": ink,
    "middle": paper,
    "pale": paper,
}
texts = {
    "gate": "#3B2F0B",
    "state": paper,
    "initial": "#1D566E",
    "passing": "#1D566E",
    "input": paper,
    "output": paper,
    "weight": paper,
    "constant": quiet,
    "saved": "#7A4A1B",
    "gradient": paper,
    "middle": quiet,
    "pale": quiet,
}
edges = {"state": state, "delay": state, "gradient": gradient, "cut": cut}  # by role; others are lines
weights = (  # white words stand out on each
    "#0F7F76", "#8552C8", "#B5447F", "#567719", "#3A69C0", "#9C5D22", "#C2185B", "#0B5F58",
    "#6F3490", "#963249", "#084890", "#604800", "#584860", "#006000", "#885890", "#686048",
    "#883800", "#A06068", "#5048B0", "#903078", "#787850", "#106088", "#585890", "#805060",
)  # fmt: skip

dark = {  # what is another colour on a dark page
    ink: "#EEF2F5",
    quiet: "#B6C1CB",
    line: "#A3B0BC",
    paper: "#13171C",
    card: "#1E252D",
    card_edge: "#5B6976",
    ground: "#181E25",
    frame: "#323C47",
    "#D5E7EF": "#1D4256",
    "#EAF2F6": "#182B36",
    "#1D566E": "#C4E6F5",
    "#E8EBEE": "#3B4651",
    "#F3EADF": "#43372A",
    "#7A4A1B": "#EBCBA6",
}
raised = "#323D48"  # an op there, which is as white as paper on a light page
dark_edges = {"state": "#62BCE6", "delay": "#62BCE6", "gradient": "#E3A66B", "cut": "#F07CC4"}  # brighter than boxes


def of_role(role: str, row: int = -1) -> tuple[str, str]:
    """Return the colour of a shape, and of the text on it. After the last colour of weights they come again."""
    if role == "cut":
        return cut, paper
    return weights[row % len(weights)] if row >= 0 else fills.get(role, ink), texts.get(role, ink)


cold_to_hot = ("#2F77BF", "#6372C4", "#8E66B0", "#D24E66", "#D6432A")  # as bright on a dark page as on a light one
nothing = "#6C757F"  # exactly zero: not vanished, never there
broken = "#C22AA9"  # infinite, or not a number

odd = ((nothing, "0"), (broken, "NaN or ∞"))  # what is on no scale


def heat(value: float | None, scale: Scale | None) -> tuple[str, float]:
    """Return the colour of a number and the width of an edge that carries it: the same step for the same factor; ""
    and 0 where there is no number, or no scale.
    """
    if value is None or scale is None or scale.low is None:
        return "", 0.0
    if not isfinite(value):
        return broken, 5.0
    if not value or not scale.low or not scale.high or scale.low >= scale.high:
        return nothing, 0.6
    share = (log10(abs(value)) - log10(scale.low)) / (log10(scale.high) - log10(scale.low))
    share = min(max(share, 0.0), 1.0)
    return tint(share), round(0.6 + 4.4 * share, 2)


def pale(seen: Item | Edge, scale: Scale | None) -> bool:
    """Tell whether an item or an edge steps back behind those whose numbers are shown."""
    return scale is not None and scale.low is not None and seen.value is None and seen.role not in ("middle", "cut")


def tint(share: float) -> str:
    """Return a colour between cold (0) and hot (1)."""
    last = len(cold_to_hot) - 1
    left = min(int(share * last), last - 1)
    part = share * last - left
    ends = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in cold_to_hot[left : left + 2]]
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in zip(*ends))
