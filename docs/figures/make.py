"""Draw the figures of this folder again: three steps of each recurrent layer, as text that is the same everywhere.

python docs/figures/make.py            writes rnn.dot, lstm.dot and gru.dot here
python docs/figures/make.py --check    says which are not what is drawn now, and fails
"""

import sys
from pathlib import Path

import tinygrad_seq as ts

LAYERS = {"rnn": ts.nn.RNN, "lstm": ts.nn.LSTM, "gru": ts.nn.GRU}
HERE = Path(__file__).parent


def figures():
    """What belongs in this folder: bytes by file name."""
    drawings = {name: ts.draw(layer(4, 8)(ts.zeros(3, 2, 4))[0]) for name, layer in LAYERS.items()}
    return {f"{name}.dot": drawing.dot.encode() for name, drawing in drawings.items()}


def stale():
    """The files that are missing or not what is drawn now."""
    found = {path.name: path.read_bytes() for path in HERE.iterdir()}
    return [name for name, text in figures().items() if found.get(name) != text]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        found = stale()
        sys.exit(f"make: not what is drawn now: {', '.join(found)}: run python {__file__}" if found else 0)
    for name, text in figures().items():
        (HERE / name).write_bytes(text)
        print(HERE / name)
