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


def extent(item: Item) -> tuple[float, float]:
    """Width and height of the shape of an item."""
    text = lines(item)
    if item.role == "middle":
        return max(width(line, 11) for line in text), 34.0 + 16 * len(text)
    if is_round(item):
        return 22.0, 22.0
    if not item.label:
        return width(symbol(item), 10) + 16, 20.0
    if item.role in small:
        return max(24.0, max(width(line, 9) for line in text) + 14), 8.0 + 11 * len(text)
    if item.role == "gate":
        return max(46.0, max(width(text[0], 11), width(symbol(item), 9)) + 18), 32.0
    aside = width(symbol(item), 9) + 5 if item.symbol else 0
    return max(40.0, max(width(line, 12) for line in text) + aside + 20), 10.0 + 14 * len(text)
