"""A network over windows of a sequence, each called plainly or as a checkpoint."""

import tinygrad_seq as ts
from tinygrad_seq import nn

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def plain(function, *args):
    return function(*args)


class Network(nn.Module):
    """A loss per window, and the state that the next one starts from."""

    def __init__(self, cell, p=0.0):
        self.cell, self.dropout, self.head = CELLS[cell](3, 4), nn.Dropout(p), nn.Linear(4, 5)

    def forward(self, x, ids, state=None):
        out, state = self.cell(x, state)
        return nn.cross_entropy(self.head(self.dropout(out)), ids), {"state": state, "window": len(x)}


def losses(network, call, length, window, x, ids):
    state, found = None, []
    for i in range(0, length, window):
        loss, more = call(network, x[i : i + window], ids[i : i + window], state)
        state = more["state"]
        assert more["window"] == min(window, length - i)
        found.append(loss)
    return ts.stack(found).mean()
