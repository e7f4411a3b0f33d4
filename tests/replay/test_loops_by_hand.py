"""Loops as people write them, without a layer: programs of them are loops, too, and compute the same."""

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn, optim
from tinygrad_seq.replay.passes import edges

B, H, V = 3, 4, 6  # a batch, features, words
LOOPS = {}


def loop(**longest):
    """Note a loop: what makes its layers and, of these and a batch, its loss. `lines` are those of `step` at most.

    `rest`: so many lines may be those of steps that are left over, where the body is of several steps.
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


@loop(lines=60)
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


@loop(lines=70)
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


@loop(lines=75)
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


@loop(lines=85)
def losses_that_count_less_and_less(rng):
    cell, out = nn.GRUCell(H, H), nn.Linear(H, V)

    def loss(x, y):
        h, total = ts.zeros(B, H, dtype="float64"), 0
        for t, (x_t, y_t) in enumerate(zip(x, y)):
            h = cell(x_t, h)
            total = total + 0.9**t * nn.cross_entropy(out(h), y_t) + min(1.0, t / 5) * (h**2).mean()
        return total / len(x)

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H), words(rng, steps, B)]


@loop(lines=50)
def the_time_as_a_feature(rng):
    cell, places = nn.RNNCell(H + 2, H), rng.normal(size=(40, H))

    def loss(x):
        h, steps = ts.zeros(B, H, dtype="float64"), len(x)
        for t in range(steps):
            clock = ts.full((B, 1), t / steps, dtype="float64"), ts.tensor([[np.sin(t)]] * B, dtype="float64")
            h = cell(ts.concatenate([x[t] + places[t], *clock], 1), h)
        return (h**2).mean()

    return [cell], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=40)
def noise_that_is_taken_away(rng):
    net = nn.Linear(H, H)

    def loss(x):
        steps = len(x)
        h = x[0]
        for t in reversed(range(steps)):
            h = (h - (t + 1) / steps * ts.tanh(net(h))) / (1 + t / steps) ** 0.5
        return (h**2).mean()

    return [net], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=35)
def powers_of_a_series(rng):
    w = nn.Linear(H, H)

    def loss(x):
        z, total, term = w(x[0]), 0, 1.0
        for k in range(1, len(x)):
            term = term * z / k
            total = total + term + 0.01 * z**k
        return total.mean()

    return [w], loss, lambda steps: [numbers(rng, steps, B, H) * 0.5]


@loop(lines=75)
def teacher_forcing_and_then_none(rng):
    cell, out = nn.RNNCell(H, H), nn.Linear(H, H)

    def loss(x):
        h, total, half = ts.zeros(B, H, dtype="float64"), 0, len(x) // 2
        for t in range(half):
            h = cell(x[t], h)
            y = out(h)
            total = total + ((y - x[t + 1]) ** 2).mean()
        for t in range(half, len(x) - 1):
            h = cell(y, h)
            y = out(h)
            total = total + ((y - x[t + 1]) ** 2).mean()
        return total

    return [cell, out], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=80)
def one_sequence_after_the_other(rng):
    cell = nn.RNNCell(H, H)

    def loss(x):
        total = 0
        for k in range(4):
            h = ts.zeros(1, H, dtype="float64")
            for t in range(len(x)):
                h = cell(x[t, k : k + 1], h)
            total = total + (h * h).sum()
        return total

    return [cell], loss, lambda steps: [numbers(rng, steps, 4, H)]


@loop(lines=25)
def three_steps_side_by_side(rng):
    cell = nn.RNNCell(3 * H, H)

    def loss(x):
        h = ts.zeros(B, H, dtype="float64")
        for t in range(len(x) - 2):
            h = cell(ts.concatenate([x[t], x[t + 1], x[t + 2]], -1), h)
        return (h**2).mean()

    return [cell], loss, lambda steps: [numbers(rng, steps, B, H)]


@loop(lines=65)
def a_decoder_that_reads_its_own_words(rng):
    embedding, cell, out = nn.Embedding(V, H), nn.RNNCell(H, H), nn.Linear(H, V)

    def loss(x):
        h, y, total = ts.zeros(B, H, dtype="float64"), x[0], 0
        for x_t in x:
            h = cell(embedding(y), h)
            scores = out(h)
            y = scores.argmax(-1)
            total = total + nn.cross_entropy(scores, x_t)
        return total

    return [embedding, cell, out], loss, lambda steps: [words(rng, steps, B)]


def trained(make, rng, **options):
    """A replayed training step, the step itself, and what makes batches for it."""
    layers, loss_of, batch = make(rng)
    for layer in layers:
        layer.to("float64")
    optimizer = optim.SGD([p for layer in layers for p in layer.parameters()], lr=0.1)

    def step(*batch):
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        return loss, [p.grad for group in optimizer.param_groups for p in group["params"]]

    return ts.replay(step, **options), step, batch


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_by_hand_is_a_loop_in_the_program(name):
    make, most = LOOPS[name]
    fast, _, batch = trained(make, np.random.default_rng(0))
    texts = []
    for steps in (14, 26):
        fast(*batch(steps))
        texts.append(fast.source[fast.source.index("def step") :].splitlines())
    assert abs(len(texts[0]) - len(texts[1])) <= most.get("rest", 0) and len(texts[1]) <= most["lines"], fast.source


@pytest.mark.parametrize("name", LOOPS)
def test_a_program_of_a_loop_by_hand_computes_the_same(name):
    check(*trained(LOOPS[name][0], np.random.default_rng(1)), (3, 4, 9, 14))


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_step_of_every_window_is_a_loop_in_the_program(batch_first):
    """Truncated BPTT in one function: backward, and a step of the optimiser, for every window."""
    layer, out = nn.GRU(2, H, batch_first=batch_first).to("float64"), nn.Linear(H, 1).to("float64")
    optimizer = optim.SGD([*layer.parameters(), *out.parameters()], lr=0.1)

    def train(x, y):
        h, losses = None, []
        for k in range(0, x.shape[int(batch_first)], 4):
            window = (slice(None), slice(k, k + 4))[not batch_first :]
            optimizer.zero_grad()
            made, h = layer(x[window], h)
            loss = ((out(made) - y[window]) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            h = h.detach()
        return ts.stack(losses)

    fast, rng, texts = ts.replay(train), np.random.default_rng(0), []
    for steps in (32, 64):
        x, y = (numbers(rng, *((B, steps) if batch_first else (steps, B)), n) for n in (2, 1))
        for _ in range(3):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            before = [p.array.copy() for p in parameters]
            expected = train(x, y)
            for p, array in zip(parameters, before):
                p.array = array
            assert_agree(expected, fast(x, y), 1.0)
        texts.append(fast.source.splitlines())
    assert len(texts[0]) == len(texts[1]) < 220, fast.source


def test_the_first_step_is_found_once_though_as_many_ways_lead_there_as_there_are_paths(monkeypatch):
    counts, vanish = [], edges.Edge.vanish

    def counted(*args):
        counts[-1] += 1
        vanish(*args)

    monkeypatch.setattr(edges.Edge, "vanish", counted)
    cell = nn.RNNCell(1, 4)

    def step(x):
        loss = 0
        for k in range(4):
            h = ts.zeros(1, 4)
            for x_t in x:
                h = cell(x_t[k : k + 1], h)
            loss = loss + (h * h).sum()
        loss.backward()
        return loss

    fast = ts.replay(step)
    for steps in (5, 10):
        counts.append(0)
        fast(ts.ones(steps, 4, 1))
    assert counts[1] <= 8 * counts[0], counts


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_by_hand_is_compiled(name):
    pytest.importorskip("numba", reason="the extra 'compile'")
    fast, step, batch = trained(LOOPS[name][0], np.random.default_rng(2), compile=True)
    check(fast, step, batch, (9,))
    assert "not compiled" not in fast.source, fast.source


def check(fast, step, batch, lengths):
    for steps in lengths:
        for _ in range(3):
            inputs = batch(steps)
            (expected, gradients), (found, others) = step(*inputs), fast(*inputs)
            assert_agree(expected, found)
            for one, other in zip(gradients, others, strict=True):
                assert_agree(one, other, 1.0)
