"""Draw the figures of this folder again, from what the demos record: text that is the same everywhere.

    python docs/figures/make.py            writes them here
    python docs/figures/make.py --check    says which are not what is drawn now, and fails

Three of the pictures are here as DOT text, too, with the same layout. (long_memory.png is made by its demo, and differs
from machine to machine.)
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np

import tinygrad_seq as ts

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "demos"))

import derivatives  # noqa: E402
import draw_unrolled  # noqa: E402
import gradient_flow  # noqa: E402


def windows():
    """Two windows of truncated backpropagation: the state goes on, the gradient does not."""
    layer = ts.truncated(ts.nn.RNN(4, 8))
    outs = []
    for number in range(2):
        with ts.scope(window=number):
            outs.append(layer(ts.zeros(2, 2, 4)))
    return ts.concatenate(outs).named("out")


def backwards():
    """A step of an RNN by hand, and its recorded backward."""
    x, h = ts.tensor([[0.5, -0.5]]).named("x"), ts.zeros(1, 3).named("h0")
    w_x, w_h = (ts.nn.Parameter(np.full((n, 3), 0.1, "float32")).named(name) for n, name in ((2, "W_x"), (3, "W_h")))
    for t in range(2):
        with ts.scope(step=t):
            h = (x @ w_x + h @ w_h).tanh().named("h")
    loss = h.sum().named("loss")
    loss.backward(create_graph=True)
    return ts.draw(loss, backward=True)


def from_scratch():
    """An RNN that names no step: its loop is found."""
    w, u = (ts.nn.Parameter(np.full((n, 8), 0.1, "float32")).named(name) for n, name in ((4, "W"), (8, "U")))
    h = ts.zeros(2, 8)
    for x_t in ts.zeros(100, 2, 4):
        h = (x_t @ w + h @ u).tanh()
    return ts.draw(h.sum().named("loss"))


def neuron():
    """A neuron by hand, and the numbers of its forward and its backward."""
    x, w, b = (ts.tensor(x, requires_grad=True).named(name) for x, name in ((2.0, "x"), (-3.0, "w"), (6.5, "b")))
    y = ((x * w).named("x w") + b).tanh().named("y")
    y.backward(retain_graph=True)
    return ts.draw(y)


@cache
def drawings():
    """What is drawn, by name."""
    found = {name: ts.draw(make(3)) for name, make in draw_unrolled.NETWORKS.items()}
    found["lstm_1000"] = ts.draw(draw_unrolled.NETWORKS["lstm"](1000))
    found["lstm_rolled"] = ts.draw(draw_unrolled.NETWORKS["lstm"](1000), view="rolled")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, gradient_flow.BATCH, gradient_flow.INPUTS))
    ts.manual_seed(0)
    for name in ("vanishing", "healthy"):
        found[name], _ = gradient_flow.flow(getattr(gradient_flow, name)(rng), x)
    found["truncated"] = ts.draw(windows())
    found["values"] = neuron()
    found["backward"] = backwards()
    found["found"] = from_scratch()
    found["tanh_2"] = ts.draw(derivatives.derivatives(2)[1][2])
    return found


def figures():
    """What belongs in this folder: bytes by file name."""
    made = drawings()
    texts = {f"{name}.svg": drawing.svg for name, drawing in made.items()}
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
