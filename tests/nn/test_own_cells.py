"""`nn.Recurrent` runs any cell over time: what a cell must be, and that the loop is the one you would write by hand.

The cells here are home-made: of one Tensor (B, H), of three parts of different ranks (a fast-weight memory), of one
number for each sequence (B,), and of a row of places with several features each (B, C, W), as in a ConvLSTM.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_near, assert_same, host
from networks import Leaky, as_function, flat, gradients, leaf, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


class FastWeights(nn.Module):
    """A state of three parts: what is shown (B, H), a memory (B, H, H) and a count (B, 1)."""

    def __init__(self, inputs, hidden):
        self.read = nn.Linear(inputs, hidden)

    def forward(self, x, state):
        h, memory, count = state
        key = (self.read(x) + 0.5 * h).tanh()
        memory = 0.8 * memory + key.expand_dims(2) * key.expand_dims(1)
        shown = (memory @ key.expand_dims(2)).squeeze(2) / (1.0 + count)
        return shown, memory, count + 1.0


class Total(nn.Module):
    """h_t = tanh(h_{t-1} + w x_t + b) of (B,)."""

    def __init__(self, inputs, _):
        self.read = nn.Linear(inputs, 1)

    def forward(self, x, h):
        return (h + self.read(x).squeeze(1)).tanh()


class Ring(nn.Module):
    """x and h (B, C, W): each place hears its neighbour."""

    def __init__(self, inputs, width):
        self.own, self.other = (nn.Parameter(np.random.default_rng(0).normal(size=(inputs, 1))) for _ in "ab")

    def forward(self, x, h):
        near = ts.concatenate([h[:, :, 1:], h[:, :, :1]], 2)
        return (self.own * x + self.other * near).tanh()


STATES = {Leaky: [(3,)], FastWeights: [(3,), (3, 3), (1,)], Total: [()], Ring: [(2, 3)]}  # besides the batch
FEATURES = {Ring: (2, 3)}


def made(kind, seed, batch):
    """A cell in float64 and a first state for it."""
    ts.manual_seed(seed)
    rng = np.random.default_rng(seed)
    return kind(2, 3).to("float64"), [leaf(rng.uniform(0, 1, (batch, *shape))) for shape in STATES[kind]], rng


cells = pytest.mark.parametrize("kind", STATES)


@cells
@given(seed=seeds, steps=small, batch=small, reverse=st.booleans(), batch_first=st.booleans())
def test_the_loop_is_the_one_you_would_write(kind, seed, steps, batch, reverse, batch_first):
    cell, first, rng = made(kind, seed, batch)
    x = leaf(rng.normal(size=(*((batch, steps) if batch_first else (steps, batch)), *FEATURES.get(kind, (2,)))))
    state, hidden = tuple(first) if len(first) > 1 else first[0], {}
    for t in reversed(range(steps)) if reverse else range(steps):
        state = cell(x[:, t] if batch_first else x[t], state)
        hidden[t] = flat(state)[0]
    by_hand = [ts.stack([hidden[t] for t in range(steps)], 1 if batch_first else 0), *flat(state)]
    loop = nn.Recurrent(cell, batch_first=batch_first, reverse=reverse)
    found = flat(loop(x, tuple(first) if len(first) > 1 else first[0]))
    assert_same(host(found), host(by_hand))
    upstream, sources = [rng.normal(size=y.shape) for y in found], [x, *first, *cell.parameters()]
    assert_near(gradients(found, upstream, *sources), gradients(by_hand, upstream, *sources))


@cells
@given(seed=seeds, steps=small, data=st.data(), rubbish=st.sampled_from([1e30, np.inf, np.nan]))
def test_lengths_mean_the_same_for_any_cell(kind, seed, steps, data, rubbish):
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=2, max_size=2))
    cell, first, rng = made(kind, seed, 2)
    x = rng.normal(size=(steps, 2, *FEATURES.get(kind, (2,))))
    loop, sources = nn.Recurrent(cell, reverse=data.draw(st.booleans())), [*cell.parameters(), *first]
    dirty = np.where((np.arange(steps)[:, None] < lengths).reshape(steps, 2, *[1] * (x.ndim - 2)), x, rubbish)
    state = tuple(first) if len(first) > 1 else first[0]
    found = flat(loop(leaf(dirty), state, lengths=lengths))
    total = gradients(found, [np.ones(y.shape) for y in found], *sources)
    summed = [np.zeros_like(t) for t in total]
    for b, length in enumerate(lengths):
        rows = tuple(s[b : b + 1] for s in first)
        alone = list(rows)  # what a sequence of no steps ends in
        if length:
            alone = flat(loop(leaf(x[:length, b : b + 1]), rows if len(rows) > 1 else rows[0]))
        out, *last = (y[:length, b : b + 1] if y is found[0] else y[b : b + 1] for y in found)
        assert_near(host([out, *last] if length else last), host(alone))
        assert not found[0].numpy()[length:, b].any()
        own = ts.grad(alone, sources, [np.ones(y.shape) for y in alone], allow_unused=True)
        summed = [t if g is None else t + g.numpy() for t, g in zip(summed, own, strict=True)]
    assert_near(total, summed)


@given(lengths=st.lists(st.integers(0, 3), min_size=2, max_size=2))
def test_whole_numbers_in_a_state_stay_whole(lengths):
    """A count of the real steps, and whether the last x was positive: an int and a bool for each sequence."""

    class Count(nn.Module):
        def forward(self, x, state):
            h, count, _ = state
            return (x + h).tanh(), count + 1, x[:, 0] > 0.0

    first = ts.zeros(2, 3), ts.tensor([0, 0]), ts.tensor([True, True])
    _, (_, count, positive) = nn.Recurrent(Count())(-ts.ones(3, 2, 3), first, lengths=lengths)
    assert (count.dtype, positive.dtype) == (np.int64, np.bool_)
    assert count.tolist() == lengths and positive.tolist() == [n == 0 for n in lengths]


@given(seed=seeds, steps=small, lengths=st.none() | st.lists(st.integers(0, 1), min_size=2, max_size=2))
def test_a_device_runs_any_cell(gpu, seed, steps, lengths):
    ts.manual_seed(seed)
    loop, x = nn.Recurrent(Leaky(2, 3)), np.random.default_rng(seed).normal(size=(steps, 2, 2)).astype("f4")
    here = flat(loop(ts.tensor(x), lengths=lengths))
    loop.to("cuda")
    there = flat(loop(ts.tensor(x, device="cuda"), lengths=lengths))
    assert {y.device for y in there} == {"cuda:0"}
    assert_near(host(there), host(here), np.float32)


@given(seed=seeds)
def test_a_home_made_cell_against_finite_differences(seed):
    cell, _, rng = made(Leaky, seed, 2)
    loop = nn.Recurrent(cell)
    assert ts.gradcheck(as_function(loop), [*loop.parameters(), leaf(rng.normal(size=(3, 2, 2)))])


def test_it_is_a_module_like_any_other():
    loop = nn.Recurrent(Leaky(2, 3))
    assert [name for name, _ in loop.named_parameters()] == ["cell.mix.weight", "cell.mix.bias"]
    out, h_n = loop(ts.zeros(4, 2))  # one sequence
    assert (out.shape, h_n.shape) == ((4, 3), (3,))
    steps = {dict(node.scope.path()).get("step") for node in ancestors([out.node])}
    assert {0, 1, 2, 3} < steps
    given, last = loop(ts.zeros(4, 2), h_n)
    assert (given.shape, last.shape) == ((4, 3), (3,))
    out, h_n = nn.Recurrent(Total(2, 3))(ts.zeros(4, 2), ts.tensor(0.5), lengths=[3])
    assert (out.shape, h_n.shape) == ((4,), ())
    lstm = nn.Recurrent(nn.LSTMCell(2, 3))
    out, state = lstm(ts.zeros(4, 2))
    out, (h_n, c_n) = lstm(ts.zeros(4, 2), list(state))  # a list does as well
    assert (out.shape, h_n.shape, c_n.shape) == ((4, 3), (3,), (3,))


class Spelling(nn.Module):
    """Reads ids (B, 1)."""

    def __init__(self):
        self.hidden_size, self.table = 3, nn.Embedding(5, 3)

    def forward(self, x, h):
        return (self.table(x[:, 0]) + h).tanh()


class Velocity(nn.Module):
    """A state of two parts, (B, 3) and (B, 2)."""

    state_sizes = 3, 2

    def forward(self, x, state):
        h, v = state
        v = 0.5 * v + x
        return h + v.sum(-1, keepdims=True), v


def test_a_first_state_of_several_parts_is_zeros_of_their_sizes():
    loop, x = nn.Recurrent(Velocity()), ts.randn(4, 5, 2)
    out, (h, v) = loop(x)
    assert (out.shape, h.shape, v.shape) == ((4, 5, 3), (5, 3), (5, 2))
    assert_same(host([out, h, v]), host([(given := loop(x, (ts.zeros(5, 3), ts.zeros(5, 2))))[0], *given[1]]))


def test_a_cell_may_read_ids():
    loop, ids = nn.Recurrent(Spelling()), ts.tensor([[[1], [2]], [[3], [-9]]])
    out, h_n = loop(ids, lengths=[2, 1])
    assert out.dtype == h_n.dtype == np.float32
    assert_same(host([h_n[1:]]), host([loop(ids[:1, 1:])[1]]))


class Forgetful(nn.Module):
    """Wrong in the ways cells are wrong at first."""

    def __init__(self, answer, hidden_size=None):
        self.answer, self.hidden_size = answer, hidden_size

    def forward(self, x, h):
        return self.answer(h)


WRONG = {
    "not a Module": (TypeError, r"Recurrent: the cell must be a Module, got <function", lambda: nn.Recurrent(leaf)),
    "no first state": (ValueError, r"Forgetful has no hidden_size.*give the state", lambda: run(lambda h: h, None)),
    "nothing": (ValueError, r"Forgetful must return the next state, of shape \(2, 3\), got NoneType",
                lambda: run(lambda h: None)),
    "output and state": (ValueError, r"of shape \(2, 3\), got \(\(2, 3\), \(2, 3\)\): .* state_sizes",
                         lambda: run(lambda h: (h, h))),
    "parts of a state that is one": (ValueError, r"\(expected 3.*\)\nRecurrent: the first state was zeros.* state_si",
                                     lambda: run(lambda h: [a + b + c for a, b, c in [h]])),
    "another size": (ValueError, r"of shape \(2, 3\), got \(2, 6\)", lambda: run(lambda h: ts.concatenate([h, h], 1))),
    "another batch": (ValueError, r"first state.*\(2, \.\.\.\).*got \(5, 3\)",
                      lambda: nn.Recurrent(Leaky(2, 3))(ts.zeros(4, 2, 2), ts.zeros(5, 3))),
    "a state without a batch": (ValueError, r"first state.*\(2, \.\.\.\).*got \(\)",
                                lambda: nn.Recurrent(Total(2, 3))(ts.zeros(4, 2, 2), ts.tensor(0.0))),
    "a state of numbers": (TypeError, r"first state must be a Tensor, or a tuple of them, got float",
                           lambda: nn.Recurrent(Leaky(2, 3))(ts.zeros(4, 2, 2), 1.0)),
    "a cell's input": (ValueError, r"GRUCell: x must have shape \(B, 5\)",
                       lambda: nn.Recurrent(nn.GRUCell(5, 3))(ts.zeros(4, 2, 2))),
    "a cell's state": (ValueError, r"GRUCell: the state must have shape \(2, 3\), got \(2, 4\)",
                       lambda: nn.Recurrent(nn.GRUCell(2, 3))(ts.zeros(4, 2, 2), ts.zeros(2, 4))),
    "a state of another size, one sequence": (ValueError, r"the state must have shape \(1, 3\), got \(1, 4\)",
                                              lambda: nn.Recurrent(nn.GRUCell(2, 3))(ts.zeros(4, 2), ts.zeros(4))),
    "a state of arrays, one sequence": (TypeError, r"first state.*got numpy\.ndarray",
                                        lambda: nn.Recurrent(Leaky(2, 3))(ts.zeros(4, 2), np.zeros(3))),
    "another dtype": (TypeError, r"GRUCell: x is float64, the parameters are float32",
                      lambda: nn.Recurrent(nn.GRUCell(2, 3))(ts.zeros(4, 2, 2, dtype="float64"))),
    "no steps": (ValueError, r"Recurrent: x has no steps", lambda: run(lambda h: h, x=ts.zeros(0, 2, 2))),
    "an array": (TypeError, r"Recurrent: x must be a Tensor, got numpy\.ndarray",
                 lambda: run(lambda h: h, x=np.zeros(3))),
    "one axis": (ValueError, r"x must have shape \(T, B, \.\.\.\) or \(T, I\), got \(3,\)",
                 lambda: run(lambda h: h, x=ts.zeros(3))),
    "more axes than a built-in cell takes": (ValueError, r"GRUCell: x must have shape \(B, 4\) or.*got \(2, 3, 4\)",
                                             lambda: nn.Recurrent(nn.GRUCell(4, 3))(ts.zeros(1, 2, 3, 4))),
}  # fmt: skip


def run(answer, hidden_size=3, x=None):
    return nn.Recurrent(Forgetful(answer, hidden_size))(ts.zeros(4, 2, 2) if x is None else x)


@pytest.mark.parametrize("kind, message, call", WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_cell_is_said(kind, message, call):
    with pytest.raises(kind, match=message):
        call()
