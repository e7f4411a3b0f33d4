"""The colours of every picture, by role. Six digits each: Graphviz 2.43 reads "#eef" as black."""

ink = "#1F2933"
quiet = "#5C6770"
line = "#98A2AD"
paper = "#FFFFFF"
card = "#F6F7F9"
card_edge = "#C5CCD3"
ground = "#FCFCFD"
frame = "#E3E7EB"
state = "#2E86AB"

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


def weight(row: int) -> str:
    """The colour of a weight; after the last one they come again."""
    return weights[row % len(weights)]
