"""The size of every item and the texts on it. The width of a text is estimated generously, never measured."""

from collections.abc import Iterable
from functools import cache
from itertools import accumulate, pairwise
from math import fsum
from unicodedata import combining, east_asian_width

from tinygrad_seq.drawing.layout.model import PlacedItem, Word
from tinygrad_seq.drawing.view.labels import shortened
from tinygrad_seq.drawing.view.model import Item

small = ("weight", "constant", "saved", "gradient", "initial", "passing")  # beside the op that reads it
fine = 10.0  # the size of what an op says it does
narrower = 0.77  # a text is about so wide, of what is estimated
letter_widths = (
    dict.fromkeys("mwMW@%…⋯", 0.95)
    | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&+=<>#∂", 0.8)
    | dict.fromkeys("iIjl.,:' |", 0.4)
)


def width(text: str, size: float) -> float:
    """Return about how wide a text is."""
    return size * fsum(
        0.0 if combining(c) else 1.1 if east_asian_width(c) in "WF" else letter_widths.get(c, 0.62) for c in text
    )


def sizes_of(items: Iterable[Item]) -> dict[str, PlacedItem]:
    """Return every item with its size, by id. What looks the same is measured once."""
    look = cache(look_of)
    looks = ((item, (item.role, item.formula or item.symbol, item.label, item.numbers)) for item in items)
    return {item.id: PlacedItem(item, *look(*words)) for item, words in looks}


def below_names(sized: PlacedItem) -> list[float]:
    """Return x of the names in the second line of a formula, from its middle; none where the line is cut short."""
    line = sized.item.formula.partition("\n")[2]
    ends = [0.0, *accumulate(width(f"{name}, ", fine) for name in line.split(", "))]
    drawn = line in [text for text, _, _ in sized.words]
    return [narrower * (left + right - ends[-1]) / 2 for left, right in pairwise(ends)] if drawn else []


def look_of(role: str, symbol: str, label: str, numbers: str = "") -> tuple[float, float, list[Word]]:
    """Return the width and the height of an item, and the words on it. A name is large; the op that made it, and
    numbers, stand small below it. A symbol alone stands in a circle.
    """
    is_small = role in small
    ops = [shortened(line, 32) for line in symbol.split("\n")]
    text = [shortened(line, 60 if role == "middle" else 40) for line in label.split("\n") if label]
    most = 8 if role == "middle" else 4
    text = text if len(text) <= most else [*text[: most - 1], f"+ {len(text) - most + 1} more"]
    if role == "middle":
        high = 34.0 + 16 * len(text)
        below = [(line, 11.0, 42 - high / 2 + 16 * i) for i, line in enumerate(text)]
        return max(width(line, 11) for line in text), high, [(symbol, 26, 22 - high / 2), *below]
    if not (label or numbers) and len(symbol) <= 2:
        return 22.0, 22.0, [(symbol, 13, 4.5)]
    size, least = (9.0, 24.0) if is_small else (12.0, 40.0)
    called = [] if is_small else [(line, fine if label or len(line) > 2 else 13.0) for line in ops]
    lines = [*((line, size) for line in text), *called, *((line, 9.0) for line in numbers.split("\n"))]
    lines = [line for line in lines if line[0]] or [("", size)]
    heights = [1.16 * size for _, size in lines]
    high = 8.0 + fsum(heights)
    words = [(*line, foot - fsum(heights) / 2 - 0.27 * line[1]) for line, foot in zip(lines, accumulate(heights))]
    return max(least, *(width(*line) + (14 if is_small else 20) for line in lines)), high, words
