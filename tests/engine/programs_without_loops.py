"""Programs that compute the same again and again, and in which there is no loop over time."""

import numpy as np
from programs_with_loops import B, H, I, T, p, x

import tinygrad_seq as ts
from tinygrad_seq import nn


def layers_on_top():
    h = x(B, H)
    for _ in range(T):
        h = nn.Linear(H, H)(h).tanh()
    return h


def residual_blocks():
    h = x(B, H)
    for _ in range(T):
        h = h + nn.Linear(H, H)(nn.LayerNorm(H)(h)).relu()
    return h


def attention_blocks():
    h = x(B, T, H)
    for _ in range(4):
        q, k, v = (nn.Linear(H, H)(h) for _ in range(3))
        h = nn.LayerNorm(H)(h + (q @ k.swapaxes(1, 2)).softmax(-1) @ v)
    return h


def one_network_on_many_inputs():
    net = nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Linear(H, 1))
    return sum((net(x(B, I)) for _ in range(T)), 0.0)


def siamese():
    net = nn.GRU(I, H)
    a, b, c = (net(x(2, B, I))[1] for _ in range(3))
    return (a - b) * (b - c)


def tree(depth=5):
    join = nn.Linear(2 * H, H)

    def node(depth):
        return x(B, H) if depth == 0 else join(ts.concatenate([node(depth - 1), node(depth - 1)], 1)).tanh()

    return node(depth)


def random_tree():
    join, parts = nn.Linear(2 * H, H), [x(B, H) for _ in range(12)]
    order = np.random.default_rng(1)
    while len(parts) > 1:
        a, b = (parts.pop(order.integers(len(parts))) for _ in range(2))
        parts.append(join(ts.concatenate([a, b], 1)).tanh())
    return parts[0]


def weighted_sum():
    """A neuron as micrograd writes it: its weights are many parameters, and the sum is no state."""
    act = p()
    for _ in range(12):
        act = act + p() * 0.5
    return act.tanh()


def penalties():
    return sum(((w * w).sum() for w in [p(3, 3) for _ in range(T)]), 0.0)


def step_of_an_optimizer():
    rate, weights = p(), [p(3) for _ in range(T)]
    return sum(((w - rate * (w * w)).sum() for w in weights), 0.0)


def twice_is_no_loop():
    w, u, h = p(I, H), p(H, H), ts.zeros(B, H)
    for _ in range(2):
        h = (x(B, I) @ w + h @ u).tanh()
    return h


def seven_of_one_op():
    y = p(3)
    for _ in range(7):
        y = y * 1.5
    return y


def another_weight_each_time():
    u, h = p(H, H), ts.zeros(B, H)
    for _ in range(T):
        h = (x(B, I) @ p(I, H) + h @ u).tanh()
    return h


def loss_of_two_terms():
    net, loss = nn.Linear(I, H), 0.0
    for _ in range(T):
        y = net(x(B, I)).tanh()
        loss = loss - (y * y).mean() + 0.1 * y.abs().mean()
    return loss


def product_of_likelihoods():
    net, likelihood = nn.Linear(I, H), 1.0
    for _ in range(10):
        likelihood = likelihood * net(x(B, I)).sigmoid().mean()
    return likelihood


def layers_in_one_array():
    w, h = p(T, H, H), x(B, H)
    for layer in range(T):
        h = h + 0.1 * (h @ w[layer]).tanh()
    return h


def rotations_in_one_array():
    angle, v = p(T), x(2)
    for k in range(T):
        c, s = angle[k].cos(), angle[k].sin()
        v = ts.stack([c * v[0] - s * v[1], s * v[0] + c * v[1]])
    return v


def uneven_tree():
    join = nn.Linear(2 * H, H)

    def node(depth):
        return x(B, H) if depth < 1 else join(ts.concatenate([node(depth - 1), node(depth - 3)], 1)).tanh()

    return node(7)


NOTHING = [
    loss_of_two_terms, product_of_likelihoods, layers_in_one_array, rotations_in_one_array, uneven_tree,
    layers_on_top, residual_blocks, attention_blocks, one_network_on_many_inputs, siamese, tree, random_tree,
    weighted_sum, penalties, step_of_an_optimizer, twice_is_no_loop, seven_of_one_op, another_weight_each_time,
]  # fmt: skip
