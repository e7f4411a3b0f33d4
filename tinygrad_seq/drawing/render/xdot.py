"""Write title, legend and colour bar as commands of xdot, Graphviz's language of drawing; y grows upward there."""

from tinygrad_seq.drawing.layout.model import Rectangle
from tinygrad_seq.drawing.render import colours as palette
from tinygrad_seq.drawing.render.title_and_legend import Part, Text
from tinygrad_seq.drawing.view.labels import printable

font = "Helvetica,Arial,sans-serif"
anchors = {"start": -1, "middle": 0, "end": 1}


def background(parts: list[Part], box: Rectangle) -> str:
    """Return the commands for what stands around a picture, on a sheet of paper as large as all of it."""
    return " ".join([filled(palette.paper) + rectangle(*box), *map(drawn, parts)])


def drawn(part: Part) -> str:
    """Return the commands for one piece."""
    if isinstance(part, Text):
        return written(part, palette.ink if part.kind == "title" else palette.quiet)
    left, right = part.x - part.width / 2, part.x + part.width / 2
    if not part.kind:
        return filled(part.colour) + rectangle(left, part.y - 6, right, part.y + 6)
    _, ink = palette.of_role(part.kind.partition(" ")[0])
    ends = "".join(f" E {x:.1f} {-part.y:.1f} 10 10 " for x in (left + 10, right - 10))
    words = written(Text(part.x, part.y + 3.5, part.text, 10, anchor="middle"), ink)
    return filled(part.colour) + rectangle(left + 10, part.y - 10, right - 10, part.y + 10) + ends + words


def filled(colour: str) -> str:
    """Choose the colour of what follows."""
    return f"c {len(colour)} -{colour} C {len(colour)} -{colour} "


def rectangle(left: float, top: float, right: float, bottom: float) -> str:
    """Return a filled rectangle."""
    return f"P 4 {left:.1f} {-top:.1f} {right:.1f} {-top:.1f} {right:.1f} {-bottom:.1f} {left:.1f} {-bottom:.1f}"


def written(part: Text, colour: str) -> str:
    """Return the commands for words. A quote after a backslash, which DOT cannot hold in a command, becomes a “””.

    Graphviz draws words a fifth of their size above the base line that it is given, so it is given one that is lower.
    """
    words = printable(part.text).replace('\\"', "\\”")
    face = font + " bold" if part.kind == "title" else font
    y = -part.y - part.size / 5
    place = f"T {part.x:.1f} {y:.1f} {anchors[part.anchor]} 0 {len(words.encode())} -{words}"
    return f"c {len(colour)} -{colour} F {part.size:g} {len(face)} -{face} {place}"
