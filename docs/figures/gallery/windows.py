"""Windows of truncated backpropagation: the state goes on, the gradient does not."""

import tinygrad_seq as ts
from gallery.weights import short
from tinygrad_seq import nn


def windows(count, steps):
    """Windows of truncated backpropagation: the state goes on, the gradient does not."""
    layer = ts.truncated(short(nn.RNN, 4, 8))
    outs = []
    for number in range(count):
        with ts.scope(window=number):
            outs.append(layer(ts.zeros(steps, 2, 4)))
    title = f"Truncated backpropagation: {count} windows of {steps} steps, one state"
    return ts.draw(ts.concatenate(outs).named("out"), title=title)


def windows_by_hand():
    """Three windows of two steps; each has its loss."""
    rnn, state, losses = short(nn.RNN, 4, 8), None, []
    for number in range(3):
        with ts.scope(window=number):
            out, state = rnn(ts.zeros(2, 2, 4), state)
            losses.append((out**2).mean().named("loss"))
        state = state.detach()
    loss = ts.stack(losses).sum().named("loss")
    return ts.draw(loss, title="Truncated backpropagation by hand: a loss for each window")
