"""What a function reaches is put back after it is traced, changed at every call, and of its own kind.

Each function runs beside its eager twin from the same start; what is refused leaves all as it was.
"""

import functools
import inspect
import random
from collections import deque, namedtuple

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn, optim
from tinygrad_seq.replay import TraceError
from tinygrad_seq.replay.trace.in_place import with_added


def extended(items):
    items.extend([1.0, 2.0])
    return 1.0


@pytest.mark.parametrize("kind", [list, deque])
@pytest.mark.parametrize("change", [
    lambda items: items.pop(), lambda items: items.append(1.0) or items.append(2.0) or 1.0, extended,
    lambda items: items.clear() or 2.0, lambda items: items.reverse() or items.pop(),
    lambda items: items.remove(2.0) or 1.0,
])  # fmt: skip
@pytest.mark.parametrize("fails", [False, True])
def test_a_list_of_another_length_is_put_back(kind, change, fails):
    layer, items = nn.Linear(2, 1), kind([1.0, 2.0, 3.0])

    def step(x):
        y = layer(x) * change(items)
        if fails:
            raise ValueError("its own")
        return y

    with pytest.raises(ValueError if fails else TraceError, match="its own" if fails else "inside the function"):
        ts.replay(step)(ts.ones(3, 2))
    assert items == kind([1.0, 2.0, 3.0])
    assert layer(ts.ones(3, 2)).numpy().shape == (3, 1)  # and the model has its arrays again


@pytest.mark.parametrize("read", [
    lambda o: o.lr, lambda o: o.param_groups[0]["lr"], lambda o: 2.0 if o.lr < 0.08 else 3.0,
    lambda o: sum(group["lr"] for group in o.param_groups), lambda o: getattr(o, "l" + "r"),
    lambda o: getattr(o, "lr", None),
])  # fmt: skip
def test_an_option_that_the_function_reads_is_that_of_the_call(read):
    optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    fast = ts.replay(lambda x: (x * read(optimizer), read(optimizer)))
    for lr in (0.1, 0.05, 0.1):
        optimizer.lr = lr
        found, number = fast(ts.ones(2))
        assert_agree(ts.ones(2) * read(optimizer), found)
        assert number == read(optimizer)
    assert fast.traces == 2


def test_an_option_of_the_same_name_as_a_setting_is_read_anew():
    class Model(nn.Module):
        def __init__(self):
            self.eps, self.layer = 1e-3, nn.Linear(2, 1)

        def forward(self, x):
            return self.layer(x) + self.eps

    model = Model()
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    fast = ts.replay(step)
    for k in range(5):
        optimizer.lr = 0.1 / (k + 1)
        fast(ts.ones(3, 2))
    assert fast.traces == 1


@pytest.mark.parametrize("kind", ["leaf", "Parameter"])
def test_a_new_leaf_learns(kind):
    """As a step of SGD by hand makes one."""
    make = nn.Parameter if kind == "Parameter" else functools.partial(ts.tensor, requires_grad=True)

    def training():
        state = {"w": make(ts.tensor([1.0, 2.0]))}

        def step(x):
            state["w"].grad = None
            ((x * state["w"] - 1.0) ** 2).sum().backward()
            state["w"] = make((state["w"] - 0.1 * state["w"].grad).detach())
            return make(x.detach())

        return state, step

    (one, eager), (other, step) = training(), training()
    fast = ts.replay(step)
    for k in range(5):
        x = ts.tensor([3.0, 0.5]) * k
        leaves = eager(x), fast(x)
        assert_agree(one["w"], other["w"])
        for leaf in (*leaves, other["w"]):
            assert leaf.requires_grad and leaf.is_leaf and leaf.grad is None and type(leaf) is type(one["w"])
    assert fast.traces == 1


def drawn_from(rng):
    return rng.standard_normal() if isinstance(rng, np.random.Generator | np.random.RandomState) else rng.random()


@pytest.mark.parametrize("make", [random.Random, np.random.RandomState, np.random.default_rng])
@pytest.mark.parametrize("seed", range(4))
def test_draws_of_a_generator_that_is_kept_are_refused_and_it_stays_where_it_is(make, seed):
    rng, other = make(seed), make(seed)
    fast = ts.replay(lambda x: x * 2.0 if drawn_from(rng) < 0.5 else x)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"draws from a \w+|moves a generator"):
            fast(ts.ones(1))
    assert drawn_from(rng) == drawn_from(other)
    unused = ts.replay(lambda x: x * (2.0 if rng is not None else 1.0))
    assert unused(ts.ones(1)).item() == 2.0


def test_an_argument_may_be_what_the_function_reaches():
    kept = [ts.ones(3), ts.zeros(3)]
    fast = ts.replay(lambda x: (x - kept[0]) * (x + 1.0))
    for x in (*kept, ts.ones(3)):
        assert_agree((x - kept[0]) * (x + 1.0), fast(x))


class Batch(dict):
    __getattr__ = dict.__getitem__


class Counts(dict):
    def __missing__(self, key):
        return 3.0


class Padded(list):
    pad = 0.0


def test_arguments_are_of_their_own_kinds():
    assert ts.replay(lambda batch: batch.x * 2.0)(Batch(x=ts.ones(2))).tolist() == [2.0, 2.0]
    assert ts.replay(lambda counts: counts["x"] * counts["other"])(Counts(x=ts.ones(1))).item() == 3.0
    fast = ts.replay(lambda parts: parts[0] + parts.pad)
    for pad in (7.0, 8.0):
        parts = Padded([ts.ones(1)])
        parts.pad = pad
        assert fast(parts).item() == 1.0 + pad
    with pytest.raises(TraceError, match=r"an argument is a MaskedArray: give np\.asarray\(x\)"):
        ts.replay(lambda x: ts.tensor(x))(np.ma.ones(3))


def test_a_number_of_the_call_may_be_a_key():
    fast = ts.replay(lambda x: ({x.argmax().item(): x.max().item()}, {x.argmax().item(), 5}))
    for values in ([1.0, 3.0], [2.0, 4.0], [4.0, 2.0]):
        x = ts.tensor(values)
        assert fast(x) == ({x.argmax().item(): x.max().item()}, {x.argmax().item(), 5})


def test_steps_that_freeze_and_free_the_same_weights_take_turns():
    """As those of a generator and of its critic do."""

    def training():
        ts.manual_seed(0)
        made, critic = nn.Linear(2, 3), nn.Linear(3, 1)
        optimizers = [optim.SGD(each.parameters(), lr=0.1) for each in (made, critic)]

        def step(z, x, learns):
            for p in critic.parameters():
                p.requires_grad = learns
            for optimizer in optimizers:
                optimizer.zero_grad()
            out = critic(made(z).detach() if learns else made(z))
            loss = ((out - 1.0) ** 2).mean() + (critic(x) ** 2).mean()
            loss.backward()
            optimizers[learns].step()
            return loss.item(), [p.requires_grad for p in critic.parameters()]

        return step, critic

    (eager, _), (step, critic) = training(), training()
    steps = [ts.replay(functools.partial(step, learns=learns)) for learns in (False, True)]
    z, x = ts.randn(4, 2), ts.randn(4, 3)
    for _ in range(6):
        for learns in (True, False):
            one, other = eager(z, x, learns), steps[learns](z, x)
            np.testing.assert_allclose(other[0], one[0], rtol=1e-5)
            assert other[1] == one[1] == [p.requires_grad for p in critic.parameters()]
    assert max(each.traces for each in steps) <= 3

    def refused(x):
        critic.bias.requires_grad = True
        return critic(x).numpy()

    with pytest.raises(TraceError):
        ts.replay(refused)(x)
    assert not critic.bias.requires_grad


def test_the_text_of_a_program_says_its_numbers():
    """On the CPU: what a program of a GPU computes on the host has names that its text does not make."""
    layer = nn.Linear(3, 2).to("cpu")
    fast = ts.replay(lambda x, y: ts.grad(nn.cross_entropy(layer(x), y), layer.bias))
    batch = ts.randn(5, 3, device="cpu"), ts.tensor([0, 1, 0, 1, 1], device="cpu")
    result = fast(*batch)
    space = {"expect": lambda *_: None, "with_added": with_added, "xp": np}
    exec(fast.source, space)
    inputs = [layer.weight, layer.bias, *batch]
    np.testing.assert_array_equal(space["step"](np, *(x.numpy() for x in inputs))[0], result.numpy())
    assert "\n\ndef step(" in fast.source


def test_it_is_a_decorator_with_and_without_options():
    @ts.replay()
    def half(x, *, scale=0.5):
        """Return the half."""
        return x * scale

    assert half(ts.ones(1)).item() == 0.5 and half.source and not half.compile
    assert ts.replay(compile=False)(half.function)(ts.ones(1)).item() == 0.5
    assert [*inspect.signature(half).parameters] == ["x", "scale"]


State = namedtuple("State", "h before")


def test_a_tensor_in_two_places_is_one():
    own = {"state": State(ts.zeros(2), ts.zeros(2)), "last": None}

    def step(x):
        h = own["state"].h * 0.5 + x
        own["state"], own["last"] = State(h, own["state"].h), h
        return h, [h]

    fast = ts.replay(step)
    for _ in range(5):
        h, (again,) = fast(ts.ones(2))
        assert h is again is own["last"] is own["state"].h and h is not own["state"].before
    assert fast.traces <= 3
