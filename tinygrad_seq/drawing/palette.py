"""The colours of every picture, by role. Six digits each: Graphviz 2.43 reads "#eef" as black.

Numbers (of gradients, say) are shown on a log scale: blue and thin where little is left, red and wide where much is.
"""

from math import isfinite, log

from tinygrad_seq.drawing.view import Scale

ink = "#1F2933"
quiet = "#5C6770"
line = "#98A2AD"
paper = "#FFFFFF"
card = "#F6F7F9"
card_edge = "#C5CCD3"
ground = "#FCFCFD"
frame = "#E3E7EB"
state = "#2E86AB"
gradient = "#B23A7A"

fills = {
    "op": paper,
    "named": paper,
    "gate": "#F2B134",
    "state": state,
    "initial": "#D5E7EF",
    "passing": "#EAF2F6",
    "input": "#E4572E",
    "constant": "#E8EBEE",
    "output": ink,
    "middle": paper,
}
texts = {
    "gate": "#3B2F0B",
    "state": "#FFFFFF",
    "initial": "#1D566E",
    "passing": "#1D566E",
    "input": "#FFFFFF",
    "output": "#FFFFFF",
    "weight": "#FFFFFF",
    "constant": "#5C6770",
    "middle": "#5C6770",
}
weights = ("#17A398", "#8E5BD1", "#C2578F", "#5C7F1F", "#3F6FC6", "#A8682A", "#6B7280", "#0F766E", "#7C3F9B", "#9F3A4E")

dark = {  # what is another colour on a dark page
    ink: "#E6EAEE",
    quiet: "#A3AEB9",
    line: "#76828E",
    paper: "#13171C",
    card: "#1C2229",
    card_edge: "#3A444E",
    ground: "#171C22",
    frame: "#2A323A",
    "#D5E7EF": "#213B48",
    "#EAF2F6": "#1B2D37",
    "#1D566E": "#9CCBE0",
    "#E8EBEE": "#2A323A",
}

heat = ("#2B63AD", "#5FA3C9", "#BCC1CA", "#F0A15E", "#D1432B")  # from little to much


def weight(row: int) -> str:
    """The colour of a weight; after the last one they come again."""
    return weights[row % len(weights)]


def height(value: float, scale: Scale) -> float:
    """How high a number stands on a log scale: 0 to 1. Zero is at the bottom; what is not finite is at the top."""
    low, high = scale.low or 0.0, scale.high or 0.0
    if value != 0 and not isfinite(value):
        return 1.0
    low = max(low, 1e-12 * high)
    if not 0 < low < high:
        return float(value > 0)
    return min(max(log(max(value, low) / low) / log(high / low), 0.0), 1.0)


def heated(at: float) -> str:
    """The colour at a height."""
    i = min(int(at * (len(heat) - 1)), len(heat) - 2)
    part = at * (len(heat) - 1) - i
    pairs = (((int(heat[i + k][j : j + 2], 16)) for k in (0, 1)) for j in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * part):02X}" for a, b in pairs)


def thickness(at: float) -> float:
    """The width of an edge at a height."""
    return 1.2 + 3.6 * at
