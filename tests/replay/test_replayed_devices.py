"""A program computes where its function does: on one GPU, and beside it on the host. The GPU is the strict double."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.replay.trace.tape import TraceError


@pytest.fixture(params=["cpu", "cuda", "cuda:1"])
def device(gpu, request):
    if request.param != "cpu" and int(request.param[5:] or 0) >= ts.cuda.device_count():
        pytest.skip("there is one GPU here")
    return request.param


def numbers(result):
    """The values and devices of what a function returns."""
    results = result if isinstance(result, tuple) else (result,)
    return [(x.tolist(), x.device) if isinstance(x, ts.Tensor) else x for x in results]


def host_ones(*shape):
    return ts.ones(*shape, device="cpu")


FUNCTIONS = {  # of x and a weight on one device, and a weight on the host
    "computes": lambda x, w, v: (x @ w).tanh(),
    "brings it home": lambda x, w, v: (x @ w).to("cpu"),
    "goes on at home": lambda x, w, v: ((x @ w).to("cpu") * 2.0) @ v + host_ones(3),
    "begins at home": lambda x, w, v: (v.sum(0).reshape(1, 3).exp() + 1.0).to(x.device) @ w,
    "both": lambda x, w, v: (x * 2.0, v * 3.0, host_ones(2, 3) + 1.0),
    "a loop on both": lambda x, w, v: sum([(v_t * v_t + 1.0).to(x.device) for v_t in v.unstack()], x[0]),
    "constants": lambda x, w, v: (ts.ones(2, 3, device=x.device), host_ones(2), ts.arange(3, device=x.device) * 2),
    "an index from home": lambda x, w, v: x[np.array([1, 0, 1])] * x[[0, 0, 0]],
    "ids": lambda x, w, v: ts.take(w, [2, 0, 2]) + x[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_gives_what_its_function_gives_where_it_gives_it(device, name):
    rng = np.random.default_rng(0)
    w = nn.Parameter(rng.standard_normal((3, 3)), device=device)
    v = nn.Parameter(rng.standard_normal((3, 3)), device="cpu")
    for function in (lambda x: FUNCTIONS[name](x, w.detach(), v.detach()), lambda x: FUNCTIONS[name](x, w, v)):
        fast = ts.replay(function)
        for _ in range(3):
            x = ts.tensor(rng.standard_normal((2, 3)), device=device)
            for (found, place), (expected, where) in zip(numbers(fast(x)), numbers(function(x)), strict=True):
                assert place == where
                np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert fast.traces == 1


def test_a_program_is_for_the_device_that_it_was_traced_on(gpu):
    places = ["cpu", "cuda:0", "cuda:1"][:1 + ts.cuda.device_count()]
    layer = nn.Linear(3, 2)
    fast = ts.replay(lambda x: layer(x).sum())
    for place in [*places, *places[::-1]] * 2:
        x = ts.ones(2, 3, device=place)
        layer.to(place)
        found, expected = fast(x), layer(x).sum()
        assert found.device == place and found.item() == pytest.approx(expected.item(), rel=1e-6)
        for elsewhere in set(places) - {place}:
            with pytest.raises(TypeError, match=r"Linear: x is on .*, the parameters on"):
                fast(x.to(elsewhere))
    assert fast.traces == len(places)


def test_two_gpus_in_one_program_are_refused(gpu):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    x, y = ts.ones(2, device="cuda:0"), ts.ones(2, device="cuda:1")
    with pytest.raises(TraceError, match="replay: the function computes on cuda:0 and cuda:1, a program on one GPU"):
        ts.replay(lambda x, y: (x * 2.0, y * 2.0))(x, y)
    assert ts.replay(lambda x, y: y * 2.0)(x, y).device == "cuda:1"  # what is not computed with may be anywhere
    assert (ts.replay(lambda: host_ones(2) * 2.0)()).tolist() == [2.0, 2.0]  # nothing is left of what was refused


def test_compiling_is_for_the_host_and_says_so(gpu):
    pytest.importorskip("numba")
    for function in (lambda x: x * 2.0, lambda x: ts.ones(2, device="cuda") * 2.0):
        with pytest.raises(TraceError, match="compile=True is for the CPU"):
            ts.replay(function, compile=True)(ts.ones(2, device="cuda"))


@pytest.mark.parametrize("ids_on", ["host", "device"])
def test_a_training_step_takes_ids_and_lengths_from_either(device, ids_on):
    def trained(replayed):
        ts.manual_seed(0)
        table, net, head = (part.to(device) for part in (nn.Embedding(7, 3), nn.RNN(3, 4), nn.Linear(4, 7)))
        parameters = [p for part in (table, net, head) for p in part.parameters()]
        optimizer = ts.optim.Adam(parameters)

        def step(ids, targets, lengths):
            optimizer.zero_grad()
            loss = nn.cross_entropy(head(net(table(ids), lengths=lengths)[0]), targets)
            loss.backward()
            ts.optim.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            return loss.item()

        run, rng, losses = ts.replay(step) if replayed else step, np.random.default_rng(1), []
        for i in range(3):
            batch = [rng.integers(0, 7, (2, 2)), rng.integers(0, 7, (2, 2)), np.array([2, 1 + i % 2])]
            losses.append(run(*[ts.tensor(part, device=device) if ids_on == "device" else part for part in batch]))
        return losses

    np.testing.assert_allclose(trained(True), trained(False), rtol=1e-4)
