"""Loops as people write them, without a layer: what makes their layers, and a loss of these and a batch."""

import tinygrad_seq as ts
from tinygrad_seq import nn

B, H, V = 3, 4, 6  # a batch, features, words
LOOPS = {}


def loop(**longest):
    """Note a loop: what makes its layers and, of these and a batch, its loss. `lines` are those of `step` at most.

    `rest`: so many lines may be those of steps that are left over, where the body is of several steps. `stays`: what is
    read comes from two places, which has no form over elements. `wide`: a line is as long as the sequence.
    """

    def noted(make):
        LOOPS[make.__name__] = make, longest
        return make

    return noted


def numbers(rng, *shape):
    return ts.tensor(rng.normal(size=shape), dtype="float64")


def words(rng, *shape):
    return ts.tensor(rng.integers(0, V, shape))


@loop(lines=47)
def learned_steps(rng):
    embedding, cell = nn.Embedding(V, H), nn.GRUCell(H, H)

    def loss(x):
        h, e = ts.zeros(B, H, dtype="float64"), embedding(x)
        for t in range(len(x)):
            h = cell(e[t], h)
        return (h**2).mean()

    return [embedding, cell], loss, lambda steps: [words(rng, steps, B)]


@loop(lines=65)
def a_loss_of_every_step(rng):
    embedding, cell, out = nn.Embedding(V, H), nn.GRUCell(H, H), nn.Linear(H, V)

    def loss(x):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for t in range(x.shape[1] - 1):
            h = cell(embedding(x[:, t]), h)
            total = total + nn.cross_entropy(out(h), x[:, t + 1])
        return total / x.shape[1]

    return [embedding, cell, out], loss, lambda steps: [words(rng, B, steps)]


@loop(lines=50)
def losses_in_a_list(rng):
    cell, out = nn.RNNCell(H, H), nn.Linear(H, V)

    def loss(x, y):
        h, losses = ts.zeros(B, H, dtype="float64"), []
        for x_t, y_t in zip(x, y):
            h = cell(x_t, h)
            losses.append(nn.cross_entropy(out(h), y_t))
        return sum(losses)

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H), words(rng, steps, B)]


@loop(lines=40)
def masks_of_a_batch_first(rng):
    cell = nn.RNNCell(H, H)

    def loss(x, mask):
        h = ts.zeros(B, H, dtype="float64")
        for t in range(x.shape[1]):
            keep = mask[:, t : t + 1]
            h = keep * cell(x[:, t, :], h) + (1 - keep) * h
        return (h**2).mean()

    mask = lambda steps: ts.tensor(rng.integers(0, 2, (B, steps)), dtype="float64")
    return [cell], loss, lambda steps: [numbers(rng, B, steps, H), mask(steps)]


@loop(lines=40)
def a_number_of_every_step(rng):
    cell, out = nn.RNNCell(1, H), nn.Linear(H, 1)

    def loss(x, y):
        h, made = ts.zeros(B, H, dtype="float64"), []
        for t in range(x.shape[1]):
            h = cell(x[..., t].reshape(B, 1), h)
            made.append(out(h))
        return nn.mse_loss(ts.concatenate(made, 1), y)

    return [cell, out], loss, lambda steps: [numbers(rng, B, steps), numbers(rng, B, steps)]


@loop(lines=70)
def both_directions(rng):
    embedding, there, back, out = nn.Embedding(V, H), nn.RNNCell(H, H), nn.RNNCell(H, H), nn.Linear(2 * H, 1)

    def loss(x):
        e, start = embedding(x), ts.zeros(B, H, dtype="float64")
        forward, backward = [start], [start]
        for t in range(len(x)):
            forward.append(there(e[t], forward[-1]))
        for t in reversed(range(len(x))):
            backward.append(back(e[t], backward[-1]))
        both = [ts.concatenate(pair, 1) for pair in zip(forward[1:], backward[:0:-1])]
        return (out(ts.stack(both)) ** 2).mean()

    return [embedding, there, back, out], loss, lambda steps: [words(rng, steps, B)]


@loop(lines=60, wide=True)
def windows_of_steps(rng):
    first, cell = nn.Linear(H, H), nn.RNNCell(H, H)

    def loss(x):
        h, z = ts.zeros(B, H, dtype="float64"), first(x)
        for t in range(len(x) - 2):
            h = cell(z[t : t + 3].mean(0), h)
        return (h**2).mean()

    return [first, cell], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=85, rest=10)
def a_state_of_four_steps_ago(rng):
    near, far = nn.Linear(H, H), nn.Linear(H, H)

    def loss(x):
        h = [ts.zeros(B, H, dtype="float64")] * 4
        for x_t in x:
            h.append(ts.tanh(x_t + near(h[-1]) + far(h[-4])))
        return (h[-1] ** 2).mean()

    return [near, far], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=55)
def steps_without_a_gradient_first(rng):
    cell, out = nn.RNNCell(H, H), nn.Linear(H, H)

    def loss(x):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for x_t in x:
            h = cell(x_t, h)
        h = h.detach()
        for x_t in x:
            h = cell(x_t, h)
            total = total + ((out(h) - x_t) ** 2).mean()
        return total

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=70, wide=True)
def a_decoder_with_the_same_weights(rng):
    cell, out = nn.RNNCell(H, H), nn.Linear(H, H)

    def loss(x):
        h = ts.zeros(B, H, dtype="float64")
        for x_t in x:
            h = cell(x_t, h)
        y, total = ts.zeros(B, H, dtype="float64"), 0
        for x_t in x:
            h = cell(y, h)
            y = out(h)
            total = total + ((y - x_t) ** 2).mean()
        return total

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=50)
def steps_from_the_end(rng):
    w = nn.Linear(H, H)

    def loss(x):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for t in range(len(x)):
            h = ts.tanh(x[-t - 1] + w(h))
            total = total + (h * x[-t - 1]).sum() + (h * x[t - len(x)]).sum()
        return total

    return [w], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=75, wide=True)
def a_loop_in_numpy_style(rng):
    w, u, v = (nn.Linear(n, m, bias=False) for n, m in ((V, H), (H, H), (H, V)))

    def loss(ids, targets):
        h, total = ts.zeros(1, H, dtype="float64"), 0
        for t in range(len(ids)):
            x = ts.one_hot(ids[t], V).to("float64").reshape(1, V)
            h = ts.tanh(w(x) + u(h))
            p = ts.exp(v(h)) / ts.exp(v(h)).sum()
            total = total - ts.log(p[0, targets[t]])
        return total

    return [w, u, v], loss, lambda steps: [words(rng, steps), words(rng, steps)]


@loop(lines=60)
def losses_of_two_kinds(rng):
    cell, out, other = nn.RNNCell(H, H), nn.Linear(H, V), nn.Linear(H, 1)

    def loss(x, y):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for x_t, y_t in zip(x, y):
            h = cell(x_t, h)
            total = total + nn.cross_entropy(out(h), y_t) + 0.1 * (other(h) ** 2).mean()
        return total

    return [cell, out, other], loss, lambda steps: [numbers(rng, steps, B, H), words(rng, steps, B)]


@loop(lines=50)
def a_runge_kutta_step(rng):
    """Four products with one weight in every step."""
    w = nn.Linear(H, H, bias=False)

    def loss(x):
        h, rate = x[0], lambda h: w(h).tanh()
        for x_t in x:
            first = rate(h + x_t)
            second = rate(h + first * 0.05)
            third = rate(h + second * 0.05)
            h = h + (first + second * 2.0 + third * 2.0 + rate(h + third * 0.1)) / 60.0
        return (h**2).mean()

    return [w], loss, lambda steps: [numbers(rng, steps, B, H)]
