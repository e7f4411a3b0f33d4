"""What has no program form is refused, or runs as it stands, and leaves nothing half done."""

import random
from itertools import count

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import on_device_of
from tinygrad_seq.replay.trace.tape import TraceError

x, model = ts.tensor([1.0, 2.0, 3.0]), nn.Linear(3, 2)


def asks_numpy(x):
    with on_device_of(x.array):
        return ts.tensor(np.sin(x.array + 0.0).sum(axis=0).__array__())


@pytest.mark.parametrize("says, function", [
    ("Python computes with a number", lambda x: round(x.sum().item(), 2)),
    ("Python computes with a number", lambda x: int(x.sum().item())),
    ("Python computes with a number", lambda x: float(x.sum())),
    ("gives the values of one call", lambda x: x.tolist()),
    (r"\.numpy\(\)", lambda x: x.numpy()),
    (r"p\.assign\(q\) copies", lambda x: model.load_state_dict(model.state_dict())),
    ("NumPy asks for the values", asks_numpy),
    ("is another at every call", lambda x: x * ts.tensor(np.random.default_rng().random(3))),
    ("draws from numpy.random, whose", lambda x: x * ts.tensor(np.random.rand(3))),
    ("draws from random, whose", lambda x: x if random.random() < 0.5 else -x),
    ("something else when it is called again", lambda x: x * float(np.random.default_rng().random())),
])  # fmt: skip
def test_what_has_no_program_form_is_refused(says, function):
    with pytest.raises(TraceError, match=says):
        ts.replay(function)(x)


def test_draws_that_are_refused_are_not_used_up():
    random.seed(3), np.random.seed(3)
    states = random.getstate(), np.random.get_state()[1].tolist()
    for draw in (random.random, np.random.rand):
        with pytest.raises(TraceError, match="draws from"):
            ts.replay(lambda x: x * draw())(x)  # noqa: B023 (it is called at once)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


def seeded(x):
    ts.manual_seed(0)
    return x + ts.rand(3)


def put_back(x):
    state = ts.get_rng_state()
    ts.set_rng_state(state)
    return x + ts.rand(3)


def shuffled(x):
    for (part,) in ts.data.batches(np.arange(4.0), size=2, shuffle=True):
        x = x + ts.tensor(part, device=x.device).sum()
    return x


@pytest.mark.parametrize("says, function", [
    ("the function sets the seed", seeded),
    ("the function sets the seed", put_back),
    ("moves a generator, by a shuffle", shuffled),
    ("makes a generator and draws from it", lambda x: x + ts.rand(3, generator=np.random.default_rng(0))),
])  # fmt: skip
def test_a_generator_that_a_program_would_not_move_so_is_refused_and_left_alone(says, function):
    state = ts.get_rng_state()
    with pytest.raises(TraceError, match=says):
        ts.replay(function)(x)
    assert ts.get_rng_state() == state


def test_a_number_of_one_call_is_no_key():
    counts = {"all": 0}

    def count_of(ids):
        counts[ids.item()] = 1
        return ids * 2

    with pytest.raises(TraceError, match="a number of one call is a key of counts"):
        ts.replay(count_of)(ts.tensor(3))
    assert counts == {"all": 0}


def test_a_refusal_that_the_function_catches_is_one():
    def careful(x):
        try:
            return x * int(x.sum().item())
        except Exception:
            return -x

    with pytest.raises(TraceError, match="Python computes with a number"):
        ts.replay(careful)(x)


def test_a_list_that_grows_and_a_counter_are_refused_and_left_alone():
    losses, kept = [], {"count": 0}

    def append(x):
        losses.append(x.sum().item())

    def counted(x):
        kept["count"] += 1
        return x

    with pytest.raises(TraceError, match=r"the list losses grows"):
        ts.replay(append)(x)
    with pytest.raises(TraceError, match=r"count.* is set to 1"):
        ts.replay(counted)(x)
    assert losses == [] and kept == {"count": 0}


def test_an_error_leaves_everything_as_it_was():
    model = nn.Linear(3, 2)
    optimizer = ts.optim.Adam(model.parameters())
    before = [p.array for p in model.parameters()]

    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        raise KeyError("from the function")

    with pytest.raises(KeyError, match="from the function"):
        ts.replay(step)(x)
    assert all(p.array is array for p, array in zip(model.parameters(), before))
    assert all(p.grad is None for p in model.parameters()) and optimizer.state == {}
    model(x).sum().backward()  # and it can go on


def test_ids_out_of_range_are_the_same_error_at_any_call():
    table = nn.Embedding(5, 2)
    fast = ts.replay(lambda ids: table(ids).sum())
    fast(ts.tensor([1, 2]))
    with pytest.raises(IndexError, match="id 5 at position"):
        fast(ts.tensor([1, 5]))
    assert fast(ts.tensor([0, 4])).item() == pytest.approx(float(table.weight.numpy()[[0, 4]].sum()))


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="replay: expected a function, got int 3"):
        ts.replay(3)


def test_hooks_second_derivatives_and_anomalies_inside():
    w = nn.Parameter([1.0, 2.0])

    def penalised(x):
        y = (w * x).tanh().sum()
        y.node.hooks = None
        h = w * x
        h.register_hook(lambda g: g * 2.0)
        (g,) = (ts.grad((h * h).sum() + y, w, create_graph=True),)
        return ts.grad((g * g).sum(), w)

    fast = ts.replay(penalised)
    for scale in (1.0, 0.5, 2.0):
        assert fast(x[:2] * scale).tolist() == penalised(x[:2] * scale).tolist()

    def watched(x):
        with ts.detect_anomaly():
            return (w / x).sum()

    fast = ts.replay(watched)
    fast(x[:2])
    with pytest.raises(RuntimeError, match="divide gave inf"):
        fast(x[:2] * 0.0)


def test_a_checkpoint_inside_works_or_is_refused():
    w = nn.Parameter([1.0, 2.0])

    def step(x):
        w.grad = None
        ts.checkpoint(lambda x: (w * x).tanh() * w, x).sum().backward()
        return w.grad

    fast = ts.replay(step)
    try:
        got = [fast(x[:2] * scale).tolist() for scale in (1.0, 0.5)]
    except TraceError:
        return
    assert got == [step(x[:2] * scale).tolist() for scale in (1.0, 0.5)]


def test_a_first_step_that_makes_gradients_is_refused_at_the_second_call():
    w, made = nn.Parameter([1.0, 2.0, 3.0]), count()

    def step():
        next(made)
        (w * ts.tensor(np.random.default_rng().random(3))).sum().backward()

    fast = ts.replay(step)
    fast()
    assert w.grad is not None and next(made) == 4  # traced, run, traced twice
    for grad in (w.grad, None):
        w.grad = grad
        with pytest.raises(TraceError, match="is another at every call"):
            fast()
        assert w.grad is grad
