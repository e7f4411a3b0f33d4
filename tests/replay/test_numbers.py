"""What `.item()` gives is a number of Python that is another at every call: to be returned, kept, and computed with."""

import numpy as np
import pytest
from agreement import assert_agree

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.trace.tape import TraceError


class Log:
    def __init__(self):
        self.loss, self.total, self.mean, self.best, self.right = 0.0, 0.0, None, 1e9, 0


def batches(calls=6):
    rng = np.random.default_rng(0)
    return [ts.tensor(rng.normal(size=(4, 3)), dtype="float64") for _ in range(calls)]


def loss_is_kept(log, loss):
    log.loss = loss.item()


def losses_add_up(log, loss):
    log.total += loss.item()
    return log.total / 2


def a_moving_average(log, loss):
    log.mean = loss.item() if log.mean is None else 0.9 * log.mean + 0.1 * loss.item()
    return log.mean


def the_least_so_far(log, loss):
    log.best = min(log.best, loss.item())
    return -log.best


def how_many_are_right(log, loss):
    log.right = (loss * ts.arange(5) > 3.0).sum().item()
    return log.right / 5, 5 - log.right, (loss * 3.0).to("int64").item()


def a_check_of_the_loss(log, loss):
    if np.isnan(loss.item()) or not np.isfinite(loss.item()) or loss.item() != loss.item():
        raise ArithmeticError("it diverges")
    return loss.item() ** 2 - 1


@pytest.mark.parametrize("use, traces", [
    (loss_is_kept, 1), (losses_add_up, 1), (a_moving_average, 1), (the_least_so_far, 2), (how_many_are_right, 1),
    (a_check_of_the_loss, 1),
])  # fmt: skip
def test_numbers_of_a_call_are_returned_kept_and_computed_with(use, traces):
    layer = nn.Linear(3, 2).to("float64")  # of which a program computes the same, to the bit
    log, other = Log(), Log()

    def step(log, x):
        loss = (layer(x) ** 2).mean()
        return use(log, loss), loss.item()

    fast = ts.replay(lambda x: step(log, x))
    for x in batches():
        assert fast(x) == step(other, x) and vars(log) == vars(other)
    assert fast.traces == traces


def test_a_check_that_comes_out_otherwise_is_followed():
    fast = ts.replay(lambda x: a_check_of_the_loss(None, x.sum()))
    assert fast(ts.tensor([2.0, 1.0])) == 8.0
    for wrong in (np.nan, np.inf):
        with pytest.raises(ArithmeticError, match="it diverges"):
            fast(ts.tensor([2.0, wrong]))
    assert fast(ts.tensor([2.0, 2.0])) == 15.0


def test_whole_numbers_are_what_python_wants_them_for():
    words = ["a", "b", "c", "d"]

    def step(x):
        i = x.argmax().item()
        y = ts.zeros(4) + i + ts.tensor([i]) * 1.0
        for _ in range(i + 1):
            y = y + x[i]
        kept = {0: "none", 3: "last"}.get(i, f"{i}"), f"{float(i):.1f}", np.float64(2) * i, np.maximum(i, 1), 2**i
        return y, words[i] * i, *kept, i % 2, i // 2, -i, i == 3, abs(1 - i), round(i, -1), float(i), divmod(7, i + 1)

    fast = ts.replay(step)
    for k in (2, 0, 3, 2, 0):
        x = ts.tensor([float(j == k) for j in range(4)])
        expected, found = step(x), fast(x)
        assert_agree(expected[0], found[0])
        assert expected[1:] == found[1:]
    assert fast.traces == 3  # one program for each number that it heard


def test_numbers_are_read_of_any_array_of_one_element_and_looked_up():
    layer = nn.Linear(3, 1).to("float64")

    def step(x):
        y = layer(x).item()
        return y * 2.0, y > np.float64(0.1), np.float64(0.5) + y, {0.5: "half"}.get(x[0].item(), "another")

    fast = ts.replay(step)
    for k in (0.5, 1.5, 0.5, -1.5):
        x = ts.full((3,), k, dtype="float64")
        assert fast(x) == step(x)


@pytest.mark.parametrize("use", [round, int, abs, str, lambda x: ts.tensor([x])])
def test_what_python_would_have_to_compute_anew_is_refused(use):
    fast = ts.replay(lambda x: use(x.sum().item()))
    if use is str:  # a text holds for one number
        assert fast(ts.ones(2)) == "2.0" and fast(ts.zeros(2)) == "0.0" and fast.traces == 2
    else:
        with pytest.raises(TraceError, match="Python computes with a number"):
            fast(ts.ones(2))


def test_a_number_of_the_call_says_how_far_to_count():
    fast = ts.replay(lambda x: ts.arange(x.argmax().item() + 1))
    for values in ([1.0, 3.0, 2.0], [3.0, 1.0, 2.0], [0.0, 1.0, 2.0]):
        assert fast(ts.tensor(values)).tolist() == list(range(values.index(max(values)) + 1))
