"""How large things are: the words of an item and the shape around them. Text is guessed generously, never measured."""

from unicodedata import combining, east_asian_width

from tinygrad_seq.drawing.caption import shortened
from tinygrad_seq.drawing.view import Item

small = ("weight", "constant", "initial", "passing")  # drawn small, without an op


def width(text: str, size: float) -> float:
    """About how wide a text is."""
    letters = (0.0 if combining(c) else 1.1 if east_asian_width(c) in "WF" else wide.get(c, 0.62) for c in text)
    return size * sum(letters)


wide = (
    dict.fromkeys("mwMW@%…⋯", 0.95)
    | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&+=<>#∂", 0.8)
    | dict.fromkeys("iIjl.,:' |", 0.4)
)


def lines(item: Item) -> list[str]:
    """The label of an item, a line each, and not too many."""
    found = [shortened(line, 60 if item.role == "middle" else 40) for line in item.label.split("\n")]
    return found if len(found) <= 4 else [*found[:3], f"+ {len(found) - 3} more"]


def symbol(item: Item) -> str:
    return shortened(item.symbol)


def is_round(item: Item) -> bool:
    """Is it a circle with a symbol in it?"""
    return not item.label and len(symbol(item)) <= 2


Word = tuple[str, float, float]  # a text, its size, and how far its foot is below the middle


def face(item: Item) -> tuple[float, float, list[Word]]:
    """Width and height of the shape of an item, and the words on it."""
    text, sign = lines(item), symbol(item)
    if item.role == "middle":
        high = 34.0 + 16 * len(text)
        below = [(line, 11.0, 42 - high / 2 + 16 * i) for i, line in enumerate(text)]
        return max(width(line, 11) for line in text), high, [(sign, 26, 22 - high / 2), *below]
    if is_round(item):
        return 22.0, 22.0, [(sign, 13, 4.5)]
    if not item.label:
        return width(sign, 10) + 16, 20.0, [(sign, 10, 3.5)]
    if item.role == "gate":
        return max(46.0, max(width(text[0], 11), width(sign, 9)) + 18), 32.0, [(text[0], 11, -1), (sign, 9, 10.5)]
    size, line, foot = (9.0, 11, 3.2) if item.role in small else (12.0, 14, 4.0)
    words = [(part, size, foot + line * (i - (len(text) - 1) / 2)) for i, part in enumerate(text)]
    wide = max(width(part, size) for part in text)
    if item.role in small:
        return max(24.0, wide + 14), 8.0 + 11 * len(text), words
    aside = width(sign, 9) + 5 if sign else 0
    return max(40.0, wide + aside + 20), 10.0 + 14 * len(text), words


def extent(item: Item) -> tuple[float, float]:
    """Width and height of the shape of an item."""
    return face(item)[:2]
