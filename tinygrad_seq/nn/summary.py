"""A module as a table: its layers, and the shape and size of every parameter."""

from collections.abc import Iterable
from html import escape

from tinygrad_seq.nn.parameter import Parameter

Row = tuple[str, str, str, str]


class Summary(str):
    """Show text as it is at a prompt, without quotes, and as a table in a notebook."""

    rows: list[Row]
    total: str
    __repr__ = str.__str__

    def _repr_html_(self) -> str:
        sides = ("left", "left", "left", "right")
        lines = [f"<table><caption>{self.total}</caption>"]
        for row in self.rows:
            kind = "td" if len(lines) > 1 else "th"
            cells = [f'<{kind} style="text-align: {side}">{escape(text)}</{kind}>' for side, text in zip(sides, row)]
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return "\n".join([*lines, "</table>"])


def summary(layers: Iterable[tuple[str, str, list[tuple[str, Parameter]]]]) -> Summary:
    """Return a table of layers, each given by its dotted name, its text and its own parameters.

    A parameter that is there a second time is not counted again; its line says where it was.
    """
    places: dict[Parameter, str] = {}
    rows = [("layer", "parameter", "shape", "count")]
    for path, text, parameters in layers:
        title = f"{path}: {text}" if path else text
        for name, parameter in parameters:
            count = f"is {places[parameter]}" if parameter in places else f"{parameter.size:,}"
            places.setdefault(parameter, f"{path}.{name}".removeprefix("."))
            rows.append((title, name, str(parameter.shape), count))
            title = ""
        if not parameters:
            rows.append((title, "", "", ""))
    wide = [max(map(len, column)) for column in zip(*rows)]
    lines = [f"{a:{wide[0]}}  {b:{wide[1]}}  {c:{wide[2]}}  {d:>{wide[3]}}".rstrip() for a, b, c, d in rows]
    frozen = sum(parameter.size for parameter in places if not parameter.requires_grad)
    total = f"{sum(parameter.size for parameter in places):,} parameters"
    total += f", {frozen:,} of them frozen" * bool(frozen)
    found = Summary("\n".join([*lines, total]))
    found.rows, found.total = rows, total
    return found
