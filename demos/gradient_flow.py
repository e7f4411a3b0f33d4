"""Why do plain RNNs forget? The gradient of the last answer, on its way back through an RNN and through an LSTM.

    python demos/gradient_flow.py               two pictures and two pages in runs/gradient_flow
    python demos/gradient_flow.py --steps 60    the longer the way, the less of it arrives

Both networks read the same sequence and are asked at its end. Colour and width of every edge are the norm of the
gradient that came back along it, on a log scale.
"""

import numpy as np
from lesson import run

import tinygrad_seq as ts
from tinygrad_seq import nn

INPUTS, HIDDEN, BATCH = 4, 8, 2


def vanishing(rng):
    """An RNN whose recurrent weights have a largest singular value of 0.3: every step back keeps at most that much."""
    rnn = nn.RNN(INPUTS, HIDDEN).to("float64")
    weight = rng.standard_normal((HIDDEN, HIDDEN))
    rnn.weight_hh_l0.assign(0.3 * weight / np.linalg.norm(weight, 2))
    return rnn


def healthy(rng):
    """An LSTM that begins with open forget gates (a bias of 3): its cell state brings the gradient back."""
    lstm = nn.LSTM(INPUTS, HIDDEN).to("float64")
    bias = lstm.bias_ih_l0.numpy().copy()
    bias[HIDDEN : 2 * HIDDEN] += 3.0
    lstm.bias_ih_l0.assign(bias)
    return lstm


def flow(layer, x, device="cpu"):
    """A picture of the gradient's way back, and its norm at every state."""
    out, _ = layer.to(device)(ts.tensor(x, device=device))
    loss = (out[-1] ** 2).mean().named("loss")
    loss.backward(retain_graph=True)  # kept, to be looked at
    memory = ts.flow.states(out, "c" if isinstance(layer, nn.LSTM) else "h")
    title = f"{type(layer).__name__}: how much gradient comes back to each step"
    return ts.draw(loss, show="gradient", steps=(2, 1), title=title), ts.flow.influence(loss, memory).map[0]


def main(args):
    x = args.rng.standard_normal((args.steps, BATCH, INPUTS))
    written = []
    for name, layer in (("vanishing_rnn", vanishing(args.rng)), ("healthy_lstm", healthy(args.rng))):
        drawing, norms = flow(layer, x, args.device)
        print(f"\n{name}: |gradient| of the loss at the state of every step, and its power of ten")
        for t in reversed(range(args.steps)):
            print(f"  t = {t:<4} {norms[t]:7.1e}  {'█' * max(0, round(2 * (12 + np.log10(norms[t] + 1e-300))))}")
        for kind in ("svg", "html"):
            written.append(args.out / f"{name}.{kind}")
            drawing.save(written[-1])
    return written


if __name__ == "__main__":
    run(main, __doc__, steps=(12, "steps of the sequence"))
