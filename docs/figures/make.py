"""Draw the figures of this folder again, from what the programs of the gallery record: text, the same everywhere.

    python docs/figures/make.py            writes them here
    python docs/figures/make.py --check    says which are not what is drawn now, and fails

Three of the pictures are here as DOT text, too, with the same layout. (long_memory.png is made by its demo, and differs
from machine to machine.)
"""

import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE))

import gallery  # noqa: E402

NOT_HERE = {  # large and like others
    "lstm_100_both", "gru_both", "gru_3_layers", "rnn_both_2_layers", "tanh_1",
}  # fmt: skip


@cache
def drawings():
    """What is drawn, by name."""
    return {name: draw() for name, draw in gallery.GALLERY.items() if name not in NOT_HERE}


def figures():
    """What belongs in this folder: bytes by file name."""
    made = drawings()
    home = f"{HERE.parents[1]}/"  # a picture may say in which line of which file something was made
    texts = {f"{name}.svg": drawing.svg.replace(home, "") for name, drawing in made.items()}
    texts |= {f"{name}.dot": made[name].dot for name in ("rnn", "lstm", "gru")}
    return {name: text.encode() for name, text in texts.items()}


def stale():
    """The files that are missing or not what is drawn now."""
    found = {path.name: path.read_bytes() for path in HERE.iterdir() if path.is_file()}
    return [name for name, text in figures().items() if found.get(name) != text]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        found = stale()
        sys.exit(f"make: not what is drawn now: {', '.join(found)}: run python {__file__}" if found else 0)
    for name, text in figures().items():
        (HERE / name).write_bytes(text)
        print(HERE / name)
