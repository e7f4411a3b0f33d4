"""A replayed function is never silently stale: what differs is read anew, traced again, or refused."""

import re
import warnings

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn

x = ts.tensor([1.0, 2.0, 3.0])


def test_captured_tensors_are_read_at_every_call():
    w = nn.Parameter([2.0, 2.0, 2.0])
    fast = ts.replay(lambda x: x * w)
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    w.assign([1.0, 0.0, -1.0])
    assert fast(x).tolist() == [1.0, 0.0, -3.0]
    assert fast.traces == 1


def test_a_captured_tensor_that_is_another_one_is_noticed():
    kept = {"w": ts.ones(3)}
    fast = ts.replay(lambda x: x * kept["w"])
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    kept["w"] = ts.zeros(3)
    assert fast(x).tolist() == [0.0, 0.0, 0.0]
    kept["w"] = ts.tensor(2.0)
    assert fast(x).tolist() == [2.0, 4.0, 6.0]


def test_python_values_that_change_trace_again():
    scale = 1.0

    def times(x):
        return x * scale

    fast = ts.replay(times)
    assert fast(x).tolist() == [1.0, 2.0, 3.0]
    scale = 2.0
    assert fast(x).tolist() == [2.0, 4.0, 6.0]
    assert fast.traces == 2


def test_numbers_that_are_equal_may_be_others():
    scale = 0.0
    fast, by_argument = ts.replay(lambda x: 1.0 / (x * scale)), ts.replay(lambda x, scale: 1.0 / (x * scale))
    with np.errstate(divide="ignore"):
        for scale in (0.0, -0.0, 0.0):
            assert fast(x).tolist() == by_argument(x, scale).tolist() == [np.copysign(np.inf, scale)] * 3
    fast, by_argument, ids = ts.replay(lambda x: x * scale), ts.replay(lambda x, scale: x * scale), ts.tensor([1, 2, 3])
    for scale in (1, 1.0, True, 1):
        assert fast(ids).dtype == by_argument(ids, scale).dtype == (ids * scale).dtype


def test_arrays_of_one_number_and_sets_may_change_in_place():
    number, names = np.array(2.0), {"a"}
    fast = ts.replay(lambda x, number: x * number if "b" in names else x + number)
    for value in (2.0, 3.0, 2.0):
        number[...] = value
        assert fast(x, number).tolist() == (x + value).tolist()
    names.add("b")
    assert fast(x, number).tolist() == [2.0, 4.0, 6.0]
    sizes = ts.replay(lambda x, text: x * float(text[0]))
    assert [sizes(x, bytes([k])).tolist()[0] for k in range(8)] == [*range(8)]


def test_numbers_that_are_equal_may_be_others_in_a_loop():
    def step(x):
        h, signs = x, []
        for _ in range(5):
            h = (h * 2.0).tanh()
            signs += [(1.0 / (h * 0.0)).clip(-1.0, 1.0), (1.0 / (h * -0.0)).clip(-1.0, 1.0)]
        return signs

    with np.errstate(divide="ignore"):
        assert [sign.tolist() for sign in ts.replay(step)(x)] == [[1.0] * 3, [-1.0] * 3] * 5


def test_new_shapes_dtypes_and_arguments_trace_again():
    fast = ts.replay(lambda x, times=1: x.sum() * times)
    assert fast(x).item() == 6.0
    assert fast(x, 2).item() == 12.0
    assert fast(x, times=3).item() == 18.0
    assert fast(x[:2]).item() == 3.0
    assert fast(x.to("float64")).dtype == "float64"
    assert fast.traces == 5
    assert fast(x + 1.0).item() == 9.0 and fast.traces == 5


def test_arguments_that_are_one_thing_are_another_kind_of_call():
    product = lambda parts, b: parts[0] * 10.0 if parts[0] is b else parts[0] * parts[1] * b
    fast, y, z = ts.replay(product), x + 1.0, x * 2.0
    for one, other, b in [(x, y, z), (x, y, x), (x, x, y), (y, z, y), (x, y, y), (x, x, x), (z, x, y)]:
        assert fast((one, other), b).tolist() == product((one, other), b).tolist()
    assert fast.traces == 5
    of_arrays = lambda a, b: ts.tensor(a) + 1.0 if a is b else ts.tensor(a) * ts.tensor(b)
    fast, a, b = ts.replay(of_arrays), np.ones(3), np.arange(3.0)
    pairs = (a, b), (b, b), (a, a), (b, a)
    assert [fast(*pair).tolist() for pair in pairs] == [of_arrays(*pair).tolist() for pair in pairs]


def test_a_replayed_function_inside_is_a_part_of_the_function_around_it():
    w = nn.Parameter([1.0, 2.0, 3.0])
    inner = ts.replay(lambda x: (x * w).tanh())
    outer = ts.replay(lambda x, n: inner(x) if n == 0 else outer(x * 0.5, n - 1) + inner(x))
    inner(x)
    for n in (0, 2, 2, 0):
        w.assign(w * 0.5)
        parts = [(x * 0.5**k * w).tanh() for k in range(n, -1, -1)]
        assert outer(x, n).tolist() == sum(parts[1:], parts[0]).tolist()
    assert outer.traces == 2 and inner(x).tolist() == (x * w).tanh().tolist()


def test_a_branch_on_a_value_is_followed():
    def branch(x):
        if x.sum() > 0.0:
            return x * 2.0
        return -x

    fast = ts.replay(branch)
    for sign in (1.0, -1.0, 1.0, -1.0):
        assert fast(x * sign).tolist() == branch(x * sign).tolist()
    assert fast.traces == 2


def test_a_branch_that_hangs_on_rounding_goes_as_in_the_function():
    cell, bound = nn.RNNCell(3, 4), 0.0

    def step(xs):
        cell.zero_grad()
        h = ts.zeros(2, 4)
        for x in xs.unstack():
            h = cell(x, h)
        (h * h).sum().backward()
        total = cell.weight_hh.grad.sum()
        return total, bool(total > bound)

    for seed in range(10):
        ts.manual_seed(seed)
        xs = ts.randn(9, 2, 3)
        bound = step(xs)[0].item()
        fast = ts.replay(step)
        assert [fast(xs)[1] for _ in range(2)] == [False] * 2


def test_a_mask_that_makes_a_shape_is_followed():
    fast = ts.replay(lambda x: x[x > 0.0])
    for values in ([1.0, -2.0, 3.0], [4.0, -1.0, 5.0], [-1.0, 2.0, 5.0], [1.0, 2.0, -5.0], [1.0, 2.0, 5.0]):
        assert fast(ts.tensor(values)).tolist() == [value for value in values if value > 0.0]
    assert fast.traces == 4


def test_a_loop_on_a_value_is_followed():
    def halve(x):
        while x.sum() > 1.0:
            x = x * 0.5
        return x

    fast = ts.replay(halve)
    for scale in (1.0, 4.0, 0.1, 1.0):
        assert fast(x * scale).tolist() == halve(x * scale).tolist()


def test_train_and_eval():
    layer = nn.Sequential(nn.Dropout(0.5))
    fast = ts.replay(layer)
    ts.manual_seed(0)
    first, second = fast(ts.ones(50)), fast(ts.ones(50))
    assert first.tolist() != second.tolist()
    layer.eval()
    assert fast(ts.ones(50)).tolist() == [1.0] * 50
    layer.train()
    assert 0.0 in fast(ts.ones(50)).tolist()


def test_learning_rates_and_schedules_are_read_at_every_call():
    w = nn.Parameter([0.0])
    optimizer = ts.optim.SGD([w], lr=1.0)
    schedule = ts.optim.ExponentialLR(optimizer, 0.5)

    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    fast = ts.replay(step)
    seen = []
    for _ in range(4):
        fast()
        schedule.step()
        seen.append(w.item())
    np.testing.assert_allclose(np.diff(seen), [-0.5, -0.25, -0.125])
    optimizer.lr = 10.0
    fast()
    assert w.item() == pytest.approx(seen[-1] - 10.0)
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr must be at least 0"):
        fast()


def test_which_targets_are_ignored_is_data():
    logits = ts.randn(4, 3)
    fast = ts.replay(lambda y: nn.cross_entropy(logits, y))
    for y in ([0, 1, 2, 0], [0, -100, 2, 0], [0, 1, -100, 0], [2, 2, 2, 2], [-100, 1, -100, -100]):
        assert fast(ts.tensor(y)).item() == nn.cross_entropy(logits, y).item()
    assert np.isnan(fast(ts.tensor([-100] * 4)).item())
    with pytest.raises(IndexError, match=r"cross_entropy: id 3 at position \(1,\)"):
        fast(ts.tensor([-100, 3, 0, 0]))
    assert fast.traces == 2  # with ignored targets and without


class Batch:
    def __init__(self, x):
        self.x = x


@pytest.mark.parametrize("function, arguments, says", [
    (lambda x, k: x * k, lambda k: (x, k), "k, 8 now: a number that changes should be a Tensor"),
    (lambda x: x * 2.0, lambda k: (ts.ones(k + 1),), "x: another shape, dtype or structure"),
    (lambda batch: batch.x * 2.0, lambda k: (Batch(x),), "batch, another Batch at every call: give its Tensors"),
    (lambda x: x * 2.0, lambda k: (ts.ones(2, requires_grad=True),), "x, another Tensor that .*: detach it"),
    (lambda *xs: sum(xs), lambda k: (x,) * (k + 1), "the number of its arguments"),
])  # fmt: skip
def test_the_ninth_trace_warns_and_says_why(function, arguments, says):
    fast = ts.replay(function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(12):
            fast(*arguments(k))
    (warning,) = caught
    assert re.search(f"ninth time, because of (argument )?{says}", str(warning.message))


def test_a_number_that_changes_outside_is_named_in_the_warning():
    kept = {"k": 0}
    fast = ts.replay(lambda x: x * kept["k"])
    with pytest.warns(UserWarning, match=r"because of kept\['k'\]"):
        for kept["k"] in range(10):
            fast(x)


def test_gradients_add_up_where_nobody_forgets_them():
    w, again = nn.Parameter([1.0, 2.0]), nn.Parameter([1.0, 2.0])

    def step(w, x):
        (w * w * x).sum().backward()

    fast = ts.replay(step)
    for k in range(4):
        fast(w, x[:2] * float(k))
        step(again, x[:2] * float(k))
    assert w.grad.tolist() == again.grad.tolist()
    w.grad = again.grad = None
    fast(w, x[:2])
    step(again, x[:2])
    assert w.grad.tolist() == again.grad.tolist()


def test_a_constant_may_be_nan():
    fast = ts.replay(lambda x: x * np.float32("nan"))
    assert all(np.isnan(fast(ts.full((2,), number)).numpy()).all() for number in (1.0, 2.0))


@pytest.mark.parametrize("look_up", [
    lambda ids, table: ts.tensor(table)[ids],
    lambda ids, table: ts.tensor(table)[ids, None],
    lambda ids, table: ts.take(ts.tensor(table), ids),
    lambda ids, table: nn.cross_entropy(ts.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), ids, weight=table),
], ids=["index", "indices", "take", "weight"])
@pytest.mark.parametrize("kind", [list, np.float32])
def test_ids_look_up_what_the_function_makes(look_up, kind):
    table = kind([1.0, 2.0, 3.0])
    fast = ts.replay(lambda ids: look_up(ids, table))
    for ids in ([0, 2], [1, 1], [2, 0]):
        assert fast(ts.tensor(ids)).tolist() == look_up(ts.tensor(ids), table).tolist()
    assert fast.traces == 1


@pytest.mark.parametrize("make", [ts.optim.SGD, ts.optim.Adam])
def test_a_step_that_makes_gradients_and_states_is_one_program(make):
    def trained(way):
        ts.manual_seed(0)
        layer = nn.LSTM(3, 4)
        optimizer = make(layer.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (layer(x)[0] ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.item()

        step = way(step)
        return step, [step(ts.ones(5, 2, 3)) for _ in range(4)]

    fast, losses = trained(ts.replay)
    assert fast.traces == 1 and losses == pytest.approx(trained(lambda step: step)[1], rel=1e-5)
