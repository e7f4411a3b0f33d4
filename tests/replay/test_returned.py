"""What a program returns and keeps is the caller's, and no call overwrites that of another."""

import gc
import sys
import time
import tracemalloc
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from agreement import assert_agree, program

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.trace.tape import TraceError

x = ts.tensor([1.0, 2.0, 3.0])


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


@pytest.mark.parametrize("kind, function", [
    ("float", lambda x: (x, time.perf_counter())),
    ("object", lambda x: object()),
    ("SimpleNamespace", lambda x: SimpleNamespace(y=x * 2.0)),
    ("OrderedDict", lambda x: OrderedDict(y=x * 2.0)),
    ("generator", lambda x: (part for part in x)),
])  # fmt: skip
def test_what_is_returned_and_no_array_has_to_be_the_same_at_every_call(kind, function):
    with pytest.raises(TraceError, match=f"an object of type {kind} that is another at every call"):
        ts.replay(function)(x)
    with pytest.raises(TraceError, match="another at every call"):
        ts.replay(lambda x: ts.tensor(np.random.default_rng().random(3)))(x)


def test_what_is_returned_and_no_array_may_be_anything_that_stays():
    model = nn.Linear(3, 1)
    settings = {"a", 1}, range(3), np.float32(2.0), x.dtype, slice(1, 2), model, None, "text", float("nan")
    fast = ts.replay(lambda x: (x * 2.0, *settings))
    for _ in range(2):
        assert str(fast(x)[1:]) == str(settings)
