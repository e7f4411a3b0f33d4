"""A replayed function is never silently stale: what differs is read anew, traced again, or refused."""

import gc
import random
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from agreement import assert_agree, program

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.backend import on_device_of
from tinygrad_seq.replay.tape import TraceError

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


def asks_numpy(x):
    with on_device_of(x.array):
        return ts.tensor(np.sin(x.array + 0.0).sum(axis=0).__array__())


@pytest.mark.parametrize("says, function", [
    ("Python computes with a number", lambda x: x.sum().item() * 2),
    ("Python computes with a number", lambda x: 1.0 if x.sum().item() > 3 else 0.0),
    ("Python computes with a number", lambda x: float(x.sum())),
    ("gives the values of one call", lambda x: x.tolist()),
    (r"\.numpy\(\)", lambda x: x.numpy()),
    ("NumPy asks for the values", asks_numpy),
    ("is another at every call", lambda x: x * ts.tensor(np.random.rand(3))),
    ("is another at every call", lambda x: x * ts.tensor([random.random() for _ in range(3)])),
    ("something else when it is called again", lambda x: x * random.random()),
])  # fmt: skip
def test_what_has_no_program_form_is_refused(says, function):
    with pytest.raises(TraceError, match=says):
        ts.replay(function)(x)


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


def test_which_targets_are_ignored_is_data():
    logits = ts.randn(4, 3)
    fast = ts.replay(lambda y: nn.cross_entropy(logits, y))
    for y in ([0, 1, 2, 0], [0, -100, 2, 0], [0, 1, -100, 0], [2, 2, 2, 2], [-100, 1, -100, -100]):
        assert fast(ts.tensor(y)).item() == nn.cross_entropy(logits, y).item()
    assert np.isnan(fast(ts.tensor([-100] * 4)).item())
    with pytest.raises(IndexError, match=r"cross_entropy: id 3 at position \(1,\)"):
        fast(ts.tensor([-100, 3, 0, 0]))
    assert fast.traces == 2  # with ignored targets and without


def test_what_is_returned_is_not_overwritten():
    fast = ts.replay(lambda x: (x, x * 2.0, {"sum": x.sum()}))
    kept = fast(x)
    fast(x * 10.0)
    assert kept[0].tolist() == [1.0, 2.0, 3.0] and kept[1].tolist() == [2.0, 4.0, 6.0] and kept[2]["sum"].item() == 6.0


def test_what_is_the_same_at_every_call_is_another_array_at_each():
    w = ts.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def step(x):
        start, like = ts.zeros(2, 3), ts.zeros_like(x)
        w.grad = None
        (w.reshape(3, 1) * 2.0).sum().backward()
        return x + ts.ones(3) + like, start, like, (like + 1.0)[1:], ts.tensor([1.0, 2.0]), ts.tensor(7.0), w.grad

    fast = ts.replay(step)
    for _ in range(3):
        results = fast(x)
        for one, other in zip(results, step(x)):
            assert one.tolist() == other.tolist()
            one.array += 1.0


@pytest.mark.parametrize("passes", ["together", "over elements"], indirect=True)
@pytest.mark.parametrize("large", [1, 2**15])
def test_arrays_that_are_kept_are_not_returned(monkeypatch, large, passes):
    monkeypatch.setattr(program, "large", large)
    cell, layer = nn.GRUCell(3, 4), nn.LSTM(4, 4)

    def step(x):
        h = c = ts.zeros(2, 4)
        states, sums = [], []
        for x_t in x.unstack():
            h = cell(x_t, h)
            c = (c * 0.5 + h).tanh()
            states.append(h)
            sums.append(c)
        out = ts.stack(states)
        again, (last, _) = layer(out)
        return out, h, c, states[2], sums[1].T, sums[3] + 0.0, out[1:3], out.reshape(-1), again.swapaxes(0, 1), last

    fast, xs = ts.replay(step), [ts.randn(6, 2, 3) for _ in range(3)]
    kept = [fast(x) for x in xs]
    for x, results in zip(xs, kept):
        for one, other in zip(step(x), results):
            assert_agree(one, other)


def test_a_buffer_that_is_replaced_stays_a_buffer():
    class Mean(nn.Module):
        def __init__(self):
            self.running = nn.Buffer(ts.zeros(3))

        def forward(self, x):
            self.running = self.running * 0.5 + x * 0.5
            return x - self.running

    one, other = Mean(), Mean()
    fast = ts.replay(one)
    for scale in (1.0, 2.0, 3.0):
        assert fast(x * scale).tolist() == other(x * scale).tolist()
    assert type(one.running) is nn.Buffer and one.running.tolist() == other.running.tolist()


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="replay: expected a function, got int 3"):
        ts.replay(3)


def test_the_ninth_trace_warns_and_says_why():
    fast = ts.replay(lambda x, k: x * k)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(12):
            fast(x, k)
    assert len(caught) == 1 and "ninth time" in str(caught[0].message)


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


def test_threads_that_share_a_program_have_their_own_numbers():
    interval = sys.getswitchinterval()
    fast = ts.replay(lambda x: (x * 2.0).tanh().exp() - x)
    xs = [ts.full((3,), float(k)) for k in range(4)]
    wanted = [((x * 2.0).tanh().exp() - x).tolist() for x in xs]
    fast(xs[0])
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda k: fast(xs[k % 4]).tolist(), range(800)))
    finally:
        sys.setswitchinterval(interval)
    assert found == [wanted[k % 4] for k in range(800)]


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


def test_the_text_of_a_number_is_that_of_the_call():
    fast = ts.replay(lambda x: [f"{x.sum().item():.1f}", str(x.sum().item())])
    for value in (1.0, 3.0, 1.0):
        assert fast(ts.full((2,), value)) == [f"{2 * value:.1f}", str(2 * value)]


def test_a_program_keeps_arrays_and_its_text_not_its_tape():
    layer = nn.LSTM(3, 4)

    def kept(steps):
        def step(x):
            layer.zero_grad()
            layer(x)[0].sum().backward()

        fast, x = ts.replay(step), ts.ones(steps, 1, 3)
        step(x)
        gc.collect()
        tracemalloc.start()
        try:
            fast(x)
            gc.collect()
            views = 25 * 200  # in a step: what a loop reads and writes there, without the numbers
            return tracemalloc.get_traced_memory()[0], (4 * 4 * 12 + views) * steps
        finally:
            tracemalloc.stop()

    (few, _), (many, arrays) = kept(5), kept(50)
    assert many - few < arrays + 10_000  # what is recorded of a step takes about 100 kB


def test_a_tape_does_not_wait_for_the_garbage_collector():
    layer = nn.LSTM(3, 4)

    def garbage(steps):
        def step(x):
            layer.zero_grad()
            layer(x)[0].sum().backward()

        fast, x = ts.replay(step), ts.ones(steps, 1, 3)
        gc.collect()
        gc.disable()
        try:
            fast(x)
            return gc.collect()
        finally:
            gc.enable()

    assert garbage(50) - garbage(5) < 45 * 10  # of a step: thousands of objects, if a tape is part of a cycle


def test_a_first_step_that_makes_gradients_is_refused_at_the_second_call():
    w, made = nn.Parameter([1.0, 2.0, 3.0]), count()

    def step():
        next(made)
        (w * ts.tensor(np.random.rand(3))).sum().backward()

    fast = ts.replay(step)
    fast()
    assert w.grad is not None and next(made) == 4  # traced, run, traced twice
    for grad in (w.grad, None):
        w.grad = grad
        with pytest.raises(TraceError, match="is another at every call"):
            fast()
        assert w.grad is grad


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
