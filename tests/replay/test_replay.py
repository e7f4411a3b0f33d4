"""What a replayed function returns and changes is what the function itself does, call after call."""

import numpy as np
import pytest
from agreement import assert_agree
from networks import Leaky

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay import replay

pytestmark = pytest.mark.parametrize("passes", ["as_written", "together", "over elements"], indirect=True)

T, B, I, H, V = 5, 3, 4, 6, 7  # noqa: E741


def trained(build, calls=4, seed=0, **options):
    """The numbers that a training step returns, and the parameters that it leaves: of the step, and of its replay."""
    results = []
    for run in (lambda step: step, replay):
        ts.manual_seed(seed)
        step, model, batches = build(np.random.default_rng(seed), **options)
        step = run(step)
        ts.manual_seed(seed + 1)
        told = [step(*batch) for batch in batches(calls)]
        results.append((told, [p.array for p in model.parameters()], [p.grad for p in model.parameters()], step))
    return results


def assert_same(build, calls=4, **options):
    (told, eager, grads, _), (again, replayed, regrads, step) = trained(build, calls, **options)
    for a, b in zip(told, again):
        for one, other in zip(*(part if isinstance(part, tuple) else (part,) for part in (a, b))):
            assert_agree(one, other)
    for a, b in zip(eager, replayed):
        assert_agree(a, b)
    for a, b in zip(grads, regrads):
        assert (a is None) == (b is None)
        if a is not None:
            assert_agree(a, b)
    return step


def classifier(rng, make, optimizer=ts.optim.Adam, clip=None, **settings):
    """A recurrent layer and a head, trained on labels of every step."""
    layer = make()
    model = nn.Sequential(layer, nn.Linear(layer_width(layer), V))
    chosen = optimizer(model.parameters(), **settings)

    def step(x, y):
        out = layer(x)[0]
        loss = nn.cross_entropy(model[1](out), y)
        chosen.zero_grad()
        loss.backward()
        if clip:
            ts.optim.clip_grad_norm_(model.parameters(), clip)
        chosen.step()
        return loss.item()

    def batches(count):
        for _ in range(count):
            yield ts.tensor(rng.normal(size=(T, B, I)).astype("float32")), ts.tensor(rng.integers(0, V, (T, B)))

    return step, model, batches


def layer_width(layer):
    return layer(ts.zeros(1, 1, I))[0].shape[-1]


LAYERS = {
    "rnn": lambda: nn.RNN(I, H),
    "relu": lambda: nn.RNN(I, H, nonlinearity="relu"),
    "lstm": lambda: nn.LSTM(I, H),
    "gru": lambda: nn.GRU(I, H),
    "two layers": lambda: nn.LSTM(I, H, num_layers=2),
    "both": lambda: nn.GRU(I, H, bidirectional=True),
    "projected": lambda: nn.LSTM(I, H, proj_size=2),
    "dropout": lambda: nn.LSTM(I, H, num_layers=2, dropout=0.5),
    "own cell": lambda: nn.Recurrent(Leaky(I, H)),
    "reverse": lambda: nn.Recurrent(nn.GRUCell(I, H), reverse=True),
}
OPTIMIZERS = {
    "sgd": (ts.optim.SGD, {"lr": 0.1}),
    "momentum": (ts.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (ts.optim.Adam, {"lr": 0.01}),
    "amsgrad": (ts.optim.Adam, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    "adamw": (ts.optim.AdamW, {"lr": 0.01}),
    "rmsprop": (ts.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    "adagrad": (ts.optim.Adagrad, {"lr_decay": 0.1}),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer):
    assert_same(classifier, make=LAYERS[layer])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    optimizer, settings = OPTIMIZERS[name]
    assert_same(classifier, make=LAYERS["rnn"], optimizer=optimizer, **settings)


@pytest.mark.parametrize("clip", [0.01, 100.0])
def test_clipping(clip):
    assert_same(classifier, make=LAYERS["gru"], clip=clip)


def test_a_language_model_with_a_carried_state():
    def build(rng):
        table, layer, head = nn.Embedding(V, I), nn.LSTM(I, H), nn.Linear(H, V)
        reader = ts.truncated(layer)
        model = nn.Sequential(table, layer, head)
        optimizer = ts.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            loss = nn.cross_entropy(head(reader(table(x))), y)
            optimizer.zero_grad()
            loss.backward()
            ts.optim.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss.item()

        def batches(count):
            return [(rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B))) for _ in range(count)]

        return step, model, batches

    assert_same(build, 5)


def test_attention_by_hand():
    def build(rng):
        encoder, cell, head = nn.GRU(I, H), nn.GRUCell(2 * H, H), nn.Linear(H, V)
        model = nn.Sequential(encoder, cell, head)
        optimizer = ts.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            out, h = encoder(x)
            keys, h, loss = out.transpose(1, 0, 2), h[0], 0.0
            for t in range(4):
                weights = (keys @ h.reshape(B, H, 1)).softmax(1)
                h = cell(ts.concatenate([(weights * keys).sum(1), h], 1), h)
                loss = loss + nn.cross_entropy(head(h), y[t])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        def batches(count):
            return [
                (ts.tensor(rng.normal(size=(T, B, I)).astype("float32")), ts.tensor(rng.integers(0, V, (T, B))))
                for _ in range(count)
            ]

        return step, model, batches

    assert_same(build)


@pytest.mark.parametrize("kind", ["lstm", "both"])
def test_lengths_are_data(kind):
    def build(rng):
        layer = LAYERS[kind]()
        optimizer = ts.optim.SGD(layer.parameters(), lr=0.1)

        def step(x, lengths):
            out, last = layer(x, lengths=lengths)
            loss = (out * out).sum() + (last[0] * last[0]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return out, loss

        def batches(count):
            lengths = [[5, 3, 1], [2, 5, 4], [1, 0, 5], [3, 3, 3], [5, 5, 5]]
            return [
                (ts.tensor(rng.normal(size=(T, B, I)).astype("float32")), ts.tensor(lengths[k])) for k in range(count)
            ]

        return step, layer, batches

    assert assert_same(build, 5).traces == 2  # where some are shorter, where all are full


PIECES = {
    "a stack read across its pieces": lambda x: ts.stack([x[0].tanh(), x[1].exp(), x[2] * 2.0])[:, :, 0] + x[0].tanh(),
    "pieces read in other rows": lambda x: ts.concatenate([x[0].tanh(), x[1].exp()])[1:4] + x[0].tanh(),
    "rows and columns": lambda x: x[0].tanh().transpose() * x[1].exp() + x[0].tanh() * x[1].exp().transpose(),
    "whole numbers beyond floats": lambda x: (
        (x > 0.0).to("int64") * 0 + 2**53 + (x[0, 0, 0] != 7.0).to("int64")
    ).sum(),
}


@pytest.mark.parametrize("what", PIECES)
def test_what_is_between_loops(what):
    function = PIECES[what]
    fast = ts.replay(function)
    for k in range(4):
        x = ts.tensor(np.random.default_rng(k).normal(size=(3, 3, 3)))
        assert_agree(function(x), fast(x))
        if what.startswith("whole"):
            assert function(x).item() == fast(x).item()


def test_masks_that_are_added_count_twice():
    w = nn.Parameter(np.random.default_rng(0).uniform(1.0, 2.0, (3, 4)))

    def step(xs):
        h, w.grad = w, None
        for x in xs.unstack():
            h = (h * 0.9).tanh()
            h = h * (x > -0.5) + h * (x > -1.0)
        h.sum().backward()
        return h, w.grad

    fast = replay(step)
    for k in range(2):
        xs = ts.tensor(np.random.default_rng(k).uniform(-0.6, 1.0, (5, 3, 4)))
        for one, other in zip(step(xs), fast(xs)):
            assert_agree(one, other)


def test_an_argument_is_called_float():
    fast = ts.replay(lambda float: ts.where(float > 0.0, float, -np.inf).max())
    assert fast(ts.tensor([-1.0, 2.0])).item() == 2.0


def test_a_state_may_be_a_number():
    def step(h, xs):
        states = []
        for x in xs:
            h = (h * 0.5 + x.sum()).tanh()
            states.append(h)
        return ts.stack(states) * 2.0

    fast = replay(step)
    for k in range(2):
        xs = [ts.full((2,), 0.1 * k + t) for t in range(5)]
        assert_agree(step(ts.tensor(0.5), xs), fast(ts.tensor(0.5), xs))


def test_a_gradient_may_be_a_number():
    w = nn.Parameter(np.array(0.9, "float32"))

    def step(h, xs):
        w.grad = None
        for x in xs.tanh().unstack():
            h = h * w * x
        h.backward()
        return h, w.grad

    fast = replay(step)
    for k in range(3):
        args = ts.tensor(0.5 + k), ts.full((6,), 0.5 + 0.1 * k)
        for one, other in zip(step(*args), fast(*args)):
            assert_agree(one, other)


def test_an_optimiser_of_many_parameters_of_one_shape():
    worlds = []
    for way in (ts.replay, lambda step: step):
        layers = [nn.LayerNorm(3) for _ in range(3)]
        parameters = [parameter for layer in layers for parameter in layer.parameters()]
        optimizer = ts.optim.Adam(parameters, lr=0.1)

        def step(x, parameters=parameters, optimizer=optimizer):
            optimizer.zero_grad()
            sum([(p * p * x).sum() for p in parameters], ts.tensor(0.0)).backward()
            optimizer.step()

        fast = way(step)
        for k in range(3):
            fast(ts.full((3,), k + 0.5))
        worlds.append(parameters)
    for one, other in zip(*worlds):
        assert_agree(one, other)
