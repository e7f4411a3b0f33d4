"""Programs with loops that declare no steps, written as people write them."""

import numpy as np

import tinygrad_seq as ts
from tinygrad_seq import nn

B, I, H, V, T = 2, 3, 4, 5, 7  # noqa: E741 (batch, input, hidden, vocabulary, time)
rng = np.random.default_rng(0)


def p(*shape):
    return nn.Parameter(rng.normal(size=shape).astype("float32") * 0.3)


def x(*shape):
    return ts.tensor(rng.normal(size=shape).astype("float32"))


def ids(t):
    return [t % V, (t + 1) % V]


def rnn_from_scratch():
    w, u, b, h = p(I, H), p(H, H), p(H), ts.zeros(B, H)
    for x_t in x(T, B, I):
        h = (x_t @ w + h @ u + b).tanh()
    return h


def rnn_in_a_class():
    class Net(nn.Module):
        def __init__(self):
            self.i2h, self.h2o = nn.Linear(I + H, H), nn.Linear(H, V)

        def forward(self, x, h):
            h = self.i2h(ts.concatenate([x, h], 1)).tanh()
            return self.h2o(h), h

    net, h = Net(), ts.zeros(B, H)
    for _ in range(T):
        y, h = net(x(B, I), h)
    return nn.cross_entropy(y, ids(0))


def lstm_from_scratch():
    w, b, h, c = p(I + H, 4 * H), p(4 * H), ts.zeros(B, H), ts.zeros(B, H)
    for x_t in x(T, B, I):
        a = ts.concatenate([x_t, h], 1) @ w + b
        i, f, o, g = a[:, :H].sigmoid(), a[:, H : 2 * H].sigmoid(), a[:, 2 * H : 3 * H].sigmoid(), a[:, 3 * H :].tanh()
        c = f * c + i * g
        h = o * c.tanh()
    return h


def cell_with_a_loss_at_each_step():
    cell, head, state, loss = nn.LSTMCell(I, H), nn.Linear(H, V), None, 0.0
    for t in range(T):
        state = cell(x(B, I), state)
        loss = loss + nn.cross_entropy(head(state[0]), ids(t))
    return loss


def losses_in_a_list():
    cell, head, h, losses = nn.GRUCell(I, H), nn.Linear(H, V), ts.zeros(B, H), []
    for t in range(T):
        h = cell(x(B, I), h)
        losses.append(nn.cross_entropy(head(h), ids(t)))
    return ts.stack(losses).mean()


def min_char():
    """Columns and one-hot vectors, the probability of the next letter by index, as in Karpathy's program."""
    wxh, whh, why, bh, by = p(H, V), p(H, H), p(V, H), p(H, 1), p(V, 1)
    h, loss = ts.zeros(H, 1), 0.0
    for t in range(T):
        xs = np.zeros((V, 1), "float32")
        xs[t % V] = 1
        h = (wxh @ ts.tensor(xs) + whh @ h + bh).tanh()
        y = why @ h + by
        prob = y.exp() / y.exp().sum()
        loss += -prob[(t + 1) % V, 0].log()
    return loss


def looked_up_and_generated():
    table, cell, head, h, y = nn.Embedding(V, I), nn.GRUCell(I, H), nn.Linear(H, V), ts.zeros(1, H), ts.zeros(1, V)
    for _ in range(T):
        h = cell(table([int(y.argmax().item())]), h)
        y = head(h)
    return y


def teacher_forcing():
    encoder, decoder, head = nn.GRU(I, H), nn.GRUCell(H, H), nn.Linear(H, V)
    table, (_, h), loss = nn.Embedding(V, H), encoder(x(T, B, I)), 0.0
    h = h[0]
    for t in range(T):
        h = decoder(table(ids(t)), h)
        loss = loss + nn.cross_entropy(head(h), ids(t + 1))
    return loss


def attention():
    encoder, decoder, head = nn.GRU(I, H), nn.GRUCell(2 * H, H), nn.Linear(H, V)
    out, h = encoder(x(T, B, I))
    keys, h, loss = out.transpose(1, 0, 2), h[0], 0.0
    for t in range(6):
        weights = (keys @ h.reshape(B, H, 1)).softmax(1)
        h = decoder(ts.concatenate([(weights * keys).sum(1), h], 1), h)
        loss = loss + nn.cross_entropy(head(h), ids(t))
    return loss


def two_loops():
    first, second, h = nn.GRUCell(I, H), nn.GRUCell(I, H), ts.zeros(B, H)
    for _ in range(T):
        h = first(x(B, I), h)
    for _ in range(5):
        h = second(x(B, I), h)
    return h


def loops_in_a_loop():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for _ in range(4):
        for _ in range(T):
            h = (x(B, I) @ w + h @ u).tanh()
        loss = loss + (h * h).sum()
    return loss


def both_directions():
    forward, backward, xs = nn.RNNCell(I, H), nn.RNNCell(I, H), x(T, B, I)
    h, back, outs, backs = ts.zeros(B, H), ts.zeros(B, H), [], []
    for x_t in xs:
        h = forward(x_t, h)
        outs.append(h)
    for t in reversed(range(T)):
        back = backward(xs[t], back)
        backs.append(back)
    return ts.concatenate([ts.stack(outs), ts.stack(backs[::-1])], 2).sum()


def one_layer_again_and_again():
    layer, h = nn.Linear(H, H), x(B, H)
    for _ in range(T):
        h = layer(h).relu()
    return h


def decaying_weight():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for t in range(T):
        h = (x(B, I) @ w + h @ u).tanh()
        loss = loss + 0.9**t * (h * h).mean()
    return loss


def states_of_a_loop():
    w, u, h, states = p(I, H), p(H, H), ts.zeros(B, H), []
    for _ in range(T):
        h = (x(B, I) @ w + h @ u).tanh()
        states.append(h)
    return states


def answers_in_a_second_loop():
    v, c = p(H, V), p(V)
    return ts.stack([h @ v + c for h in states_of_a_loop()])


def answers_of_a_layer_in_a_second_loop():
    states, head = states_of_a_loop(), nn.Linear(H, V)
    return ts.stack([head(h).tanh() for h in states])


def answers_in_another_order():
    states, v = states_of_a_loop(), p(H, V)
    return ts.stack([(states[t] @ v).tanh() for t in (0, 3, 1, 2, 6, 5, 4)])


def windows_cut_by_hand():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for t in range(T):
        h = (x(B, I) @ w + (h.detach() if t % 3 == 2 else h) @ u).tanh()
        loss = loss + (h * h).mean()
    return loss


def euler():
    """Of the first step, whose state is a constant, less is recorded."""
    w, h = p(H, H), x(B, H)
    for _ in range(T):
        h = h + 0.1 * ((h * h) @ w).tanh()
    return h


def runge_kutta():
    w, y = p(H, H), x(B, H)
    for _ in range(T):
        k1 = (y @ w).tanh()
        k2 = ((y + 0.5 * k1) @ w).tanh()
        k3 = ((y + 0.5 * k2) @ w).tanh()
        k4 = ((y + k3) @ w).tanh()
        y = y + (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0
    return y


def doubling_an_array():
    y = p(3)
    for _ in range(12):
        y = y * 1.5
    return y


def learned_first_state(steps=T, gates=1, turned=False):
    """The first step computes with parameters alone, which steps do otherwise to prepare a weight."""
    weights, h = [p(H, H) for _ in range(gates)], nn.Parameter(np.ones((B, H)))
    for x_t in x(steps, B, H):
        h = sum(h @ (w.T if turned else w) for w in weights)
        h = (h + x_t).tanh().named("h")
    return h


def learned_first_state_alone():
    w, h = p(H, H), p(B, H)
    for _ in range(T):
        h = (h @ w).tanh()
    return h


LOOPS = {
    rnn_from_scratch: [7], rnn_in_a_class: [7], lstm_from_scratch: [7], cell_with_a_loss_at_each_step: [7],
    losses_in_a_list: [7], min_char: [7], looked_up_and_generated: [7], teacher_forcing: [7], attention: [6],
    two_loops: [7, 5], loops_in_a_loop: [4, 7, 7, 7, 7], both_directions: [7, 7], one_layer_again_and_again: [7],
    decaying_weight: [7], doubling_an_array: [12], answers_in_a_second_loop: [7, 7],
    answers_of_a_layer_in_a_second_loop: [7, 7], answers_in_another_order: [7], windows_cut_by_hand: [7], euler: [7],
    runge_kutta: [7], learned_first_state: [7], learned_first_state_alone: [7],
}  # fmt: skip
