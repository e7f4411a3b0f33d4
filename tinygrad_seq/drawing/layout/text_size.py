"""The size of every item and the texts on it. The width of a text is estimated generously, never measured."""

from collections.abc import Iterable
from functools import cache
from unicodedata import combining, east_asian_width

from tinygrad_seq.drawing.layout.model import PlacedItem, Word
from tinygrad_seq.drawing.view.labels import shortened
from tinygrad_seq.drawing.view.model import Item

small = ("weight", "constant", "saved", "initial", "passing")  # drawn small, without the symbol of an op
letter_widths = (
    dict.fromkeys("mwMW@%…⋯", 0.95)
    | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&+=<>#∂", 0.8)
    | dict.fromkeys("iIjl.,:' |", 0.4)
)


def width(text: str, size: float) -> float:
    """Return about how wide a text is."""
    return size * sum(
        0.0 if combining(c) else 1.1 if east_asian_width(c) in "WF" else letter_widths.get(c, 0.62) for c in text
    )


def sizes_of(items: Iterable[Item]) -> dict[str, PlacedItem]:
    """Return every item with its size, by id. What looks the same is measured once."""
    look = cache(look_of)
    return {item.id: PlacedItem(item, *look(item.role, item.symbol, item.label, item.numbers)) for item in items}


def look_of(role: str, symbol: str, label: str, numbers: str = "") -> tuple[float, float, list[Word], str, bool]:
    """Return the width and the height of an item, the words on it, the symbol before them, and whether it is round."""
    symbol, is_small = shortened(symbol), role in small
    text = [shortened(line, 60 if role == "middle" else 40) for line in label.split("\n")]
    most = 8 if role == "middle" else 4
    text = text if len(text) <= most else [*text[: most - 1], f"+ {len(text) - most + 1} more"]
    if role == "middle":
        high = 34.0 + 16 * len(text)
        below = [(line, 11.0, 42 - high / 2 + 16 * i) for i, line in enumerate(text)]
        return max(width(line, 11) for line in text), high, [(symbol, 26, 22 - high / 2), *below], "", False
    if numbers:
        head, lines = " ".join(filter(None, (symbol, *text))), numbers.split("\n")
        wide = max(width(head, 12), *(width(line, 9) for line in lines)) + 16
        high = 27.0 + 11 * len(lines)
        below = [(line, 9.0, 31 - high / 2 + 11 * i) for i, line in enumerate(lines)]
        return max(34.0, wide), high, [(head, 12, 17 - high / 2), *below], "", False
    if not label and len(symbol) <= 2:
        return 22.0, 22.0, [(symbol, 13, 4.5)], "", True
    if not label:
        return width(symbol, 10) + 16, 20.0, [(symbol, 10, 3.5)], "", False
    if role == "gate":
        wide = max(46.0, max(width(text[0], 11), width(symbol, 9)) + 18)
        return wide, 32.0, [(text[0], 11, -1), (symbol, 9, 10.5)], "", False
    size, line, foot, least, high = (9.0, 11, 3.2, 24.0, 8.0) if is_small else (12.0, 14, 4.0, 40.0, 10.0)
    words = [(part, size, foot + line * (i - (len(text) - 1) / 2)) for i, part in enumerate(text)]
    before = width(symbol, 9) + 5 if symbol and not is_small else 0
    wide = max(width(part, size) for part in text) + before + (14 if is_small else 20)
    return max(least, wide), high + line * len(text), words, "" if is_small else symbol, False
