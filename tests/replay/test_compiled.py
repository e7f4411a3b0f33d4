"""A compiled program computes what the function does; what cannot be compiled stays as it is, and says so.

Compiling takes seconds. So most programs over elements are run by Python, in the other files of this folder.
"""

import importlib
import re
from types import SimpleNamespace

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import to_host

pytest.importorskip("numba", reason="compiled programs need Numba: pip install 'tinygrad-seq[compile]'")
pytest.importorskip("scipy", reason="Numba's products of matrices need SciPy")
compiled = importlib.import_module("tinygrad_seq.replay.compiled.machine_code")
tape = importlib.import_module("tinygrad_seq.replay.trace.tape")
traced_call = importlib.import_module("tinygrad_seq.replay.traced_call")
slow = pytest.mark.slow


@pytest.fixture(autouse=True)
def only_here(request):
    if request.config.getoption("device") != "cpu":
        pytest.skip("compiled programs run on the CPU")


def trained_alike(models, loss_of, optimizer, batches):
    """Train one model with a graph and its twin with a compiled program; return the program."""
    models[1].load_state_dict(models[0].state_dict())
    steps = []
    for model in models:
        chosen = optimizer(model.parameters(), lr=0.01)

        def step(*batch, model=model, chosen=chosen):
            chosen.zero_grad()
            loss = loss_of(model, *batch)
            loss.backward()
            ts.optim.clip_grad_norm_(model.parameters(), 0.1)
            chosen.step()
            return loss.item()

        steps.append(step)
    fast = ts.replay(steps[1], compile=True)
    for batch in batches:
        assert_agree(steps[0](*batch), fast(*batch))
    for one, other in zip(*(model.parameters() for model in models)):
        assert_agree(one, other)
    return fast


@pytest.mark.parametrize(("layer", "dtype"), [(nn.RNN, "float32"), pytest.param(nn.GRU, "float64", marks=slow)])
def test_layers(layer, dtype):
    ts.manual_seed(0)
    xs = [ts.tensor(np.random.default_rng(seed).normal(size=(6, 2, 3)).astype(dtype)) for seed in range(4)]
    models = [layer(3, 4).to(dtype) for _ in range(2)]
    fast = trained_alike(models, lambda model, x: (model(x)[0] ** 2).mean(), ts.optim.Adam, [(x,) for x in xs])
    assert "not compiled" not in fast.source and fast.source.count("def part") == 2  # the norm is checked between them
    assert "xp." not in fast.source and "for j in range" not in fast.array_source


def test_sums_of_a_loop_are_read_after_it():
    parameters = [nn.Parameter(np.full(3, k + 1.0)) for k in range(3)]

    def step(x):
        return sum([(p * p * x).sum() for p in parameters], ts.tensor(0.0)) * x

    fast, x = ts.replay(step, compile=True), ts.tensor([1.0, 2.0, 3.0])
    assert_agree(step(x), fast(x))
    assert "for t in range(3)" in fast.source


@slow
def test_every_form_is_numpys():
    forms = [
        lambda h, x: (h + x).tanh(),
        lambda h, x: ts.where(h > x, h, x * 0.5),
        lambda h, x: ts.minimum(h, x) - ts.maximum(x, h) / 3.0,
        lambda h, x: ((h * x).abs() + 1.0).sqrt() + (-h).exp().log() * 0.5,
        lambda h, x: h.sin() * x.cos() + h**2,
        lambda h, x: ts.where(h <= 0.1, h * 1.5, x).clip(-2.0, 2.0),
        lambda h, x: h.transpose() + x[:, :1],
        lambda h, x: ts.concatenate([h[1:], x[:1]]) + h.sum(0) * 0.1,
        lambda h, x: (ts.concatenate([h * 0.5, x])[1:4] + 1.0).tanh(),
        lambda h, x: h.reshape(1, 3, 3)[0] * (x != 0.0).to("float32"),
        lambda h, x: h - h.max(1, keepdims=True) + x.max(0) - h.max(),
        lambda h, x: h[ids] + x.transpose() + h[ids, ids],
        lambda h, x: ts.stack([h[1], x[0], h.reshape(9)[ids]]) * 0.5 + h.sum() + h.mean(1),
        lambda h, x: h @ x.transpose() * 0.5 + 1,
        lambda h, x: (h.abs() + 1.0) ** 0.5 * 0.5 + h.min(0) - x.min() + (h[:, None] * x[..., None]).sum(1) * 0.1,
        lambda h, x: h[1, ids] * 0.5 + x[0, h.argmax(1)] + h[-1] - h[:, -1:] + x[:, 1, None],
        lambda h, x: h * 0.5 + (x.argmax(1) - x.transpose().argmax(1).max() + x[:, ids].argmax(1).min()).to("float32"),
    ]
    ids = np.array([2, 0, 2])

    def run(xs):
        states = []
        for form in forms:
            h = xs[0]
            for x in xs.unstack():
                h = form(h, x)
            states.append(h)
        return tuple(states)

    fast = ts.replay(run, compile=True)
    xs = np.random.default_rng(0).normal(size=(7, 3, 3)).astype("float32")
    for change in (0.0, 1.0, np.nan, np.inf, -np.inf):
        xs[3, 1, 1] = change
        with np.errstate(all="ignore"):
            for one, other in zip(run(ts.tensor(xs)), fast(ts.tensor(xs))):
                np.testing.assert_allclose(to_host(other.array), to_host(one.array), rtol=1e-5, atol=1e-6)
    assert "not compiled" not in fast.source and fast.source.count("def part") <= 2


@pytest.mark.parametrize("passes", ["over elements"], indirect=True)
def test_a_compiled_step_writes_little(passes):
    layer = nn.GRU(3, 4)
    x = ts.randn(7, 2, 3, requires_grad=True)

    def step():
        x.grad = None
        layer.zero_grad()
        loss = (layer(x)[0] ** 2).mean()
        loss.backward()
        return loss

    fast = ts.replay(step)
    assert_agree(step(), [fast() for _ in range(2)][1])
    assert fast.source.count("for j1 in range(n") == 1  # all steps at once: the sum of the squares
    assert len(re.findall(r"= xp.empty\(\(7, 2, \d+\)", fast.source)) == 6  # what the backward pass reads, and makes
    assert re.search(r"memory = xp.empty\(192, .*\n.* = memory\[:168\].reshape\(\(14, 12\)\)", fast.source)


def test_what_has_no_form_stays_and_says_so():
    added_up = ts.primitive(lambda xp, x: xp.cumsum(x, 1))

    def run(x):
        h = x[0]
        for _ in range(8):
            h = h * 0.5 - added_up(h).tanh()
        return h

    fast = ts.replay(run, compile=True)
    x = ts.randn(2, 2, 3)
    assert_agree(run(x), fast(x))
    assert "# not compiled: cumsum has no form over elements" in fast.source


def test_ids_out_of_range_are_an_error():
    fast = ts.replay(lambda x, ids: x.exp()[ids].sum(), compile=True)
    x = ts.zeros(3, 2)
    assert fast(x, np.array([0, -3])).item() == 4
    for wrong in (3, -4):
        with pytest.raises(IndexError, match="out of"):
            fast(x, np.array([0, wrong]))


@slow
def test_a_check_in_every_step_of_a_compiled_loop_is_followed_and_none_is_out_of_range():
    def run(x, table):
        h = x[0]
        for x_t in x:
            h = h * 0.5 + x_t + table[x_t.argmax(0)]
            h = h * 0.5 if h.sum() > 0.0 else -h
        return h

    fast, table = ts.replay(run, compile=True), ts.ones(3, 3)
    rng = np.random.default_rng(0)
    for sign in (1.0, 1.0, -2.0, 0.0):
        xs = ts.tensor((rng.random((9, 3)) + sign).astype("float32"))
        assert_agree(run(xs, table), fast(xs, table))
        assert "not compiled" not in fast.source, fast.source
    assert fast.traces >= 2


@slow
def test_roots_and_the_first_of_equals_are_numpys():
    fast = ts.replay(lambda x: (x**0.5, x.argmax(1)), compile=True)
    for x in ([[-np.inf, -0.0, 4.0]], [[1.0, 1.0, 0.0], [0.0, np.nan, np.inf], [-np.inf, -np.inf, -np.inf]]):
        with np.errstate(invalid="ignore"):
            roots, largest = np.array(x, "float32") ** 0.5, np.argmax(np.array(x), 1)
            found, at = fast(ts.tensor(x))
        assert np.array_equal(found.numpy(), roots, equal_nan=True) and at.tolist() == largest.tolist()
        assert np.array_equal(np.signbit(found.numpy()[roots == 0]), np.signbit(roots[roots == 0]))


@slow
def test_a_language_model_is_compiled_with_its_optimiser():
    def loss_of(model, ids, targets):
        return nn.cross_entropy(model(ids)[0].reshape(-1, 4), targets.reshape(-1))

    ts.manual_seed(0)
    rng = np.random.default_rng(0)
    batches = [(ts.tensor(rng.integers(0, 5, (6, 2))), ts.tensor(rng.integers(0, 4, (6, 2)))) for _ in range(4)]
    models = [nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4)) for _ in range(2)]
    fast = trained_alike(models, loss_of, ts.optim.AdamW, batches)
    lines = fast.source[fast.source.index("def step") :].splitlines()
    assert sum("part" in line for line in lines) == 2 and "not compiled" not in fast.source


@slow
def test_loops_in_two_dtypes():
    def run(xs, ys):
        h, s = xs[0], ys[0]
        for x in xs.unstack():
            h = (h * 0.5 + x).tanh()
        states = []
        for y in ys.unstack():
            s = (s * y).tanh()
            states.append(s)
        return h, ts.stack([ys[0], *states])

    xs, ys = ts.randn(8, 2, 3), ts.randn(8, 2, 3).to("float64")
    fast = ts.replay(run, compile=True)
    for one, other in zip(run(xs, ys), fast(xs, ys)):
        assert_agree(one, other)
    assert "# not compiled: tanh in float64" in fast.source and "= tanh(" in fast.source


def test_the_same_loops_are_compiled_once():
    text = ["def loop(x):\n    return x"]
    assert compiled.module_of(text, "float32") is compiled.module_of(list(text), "float32")
    assert compiled.module_of(text, "float64") is not compiled.module_of(text, "float32")


def test_a_missing_numba_is_said(monkeypatch):
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None if name == "numba" else object())
    with pytest.raises(ImportError, match=r"replay: compile=True needs numba: install it"):
        ts.replay(lambda: 0, compile=True)


def test_elsewhere_is_an_error(monkeypatch):
    class Elsewhere(tape.Tape):
        xp = property(lambda self: SimpleNamespace(**vars(np)), lambda self, xp: None)  # another library

    monkeypatch.setattr(traced_call, "Tape", Elsewhere)
    with pytest.raises(tape.TraceError, match="is for the CPU"):
        ts.replay(lambda x: x * 2.0, compile=True)(ts.ones(3))
