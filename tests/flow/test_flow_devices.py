"""Insight over time on a GPU: the same numbers, as host arrays. The GPU is the strict double, or a real one."""

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn


def insight(device, layer):
    """Every number that flow finds in a small network, in order."""
    ts.manual_seed(0)
    table, net = nn.Embedding(5, 2).to("float64"), layer(2, 3, num_layers=2).to("float64")
    ids = np.array([[1, 2], [0, 4], [1, 1], [3, 2]])
    table.to(device), net.to(device)
    out, _ = net(table(ts.tensor(ids, device=device)), lengths=[4, 3])
    loss = (out * out).sum()
    numbers = [ts.flow.itemize(loss, p).items for p in [*table.parameters(), *net.parameters()]]
    h = ts.flow.states(out, layer=0)
    found = ts.flow.influence([*[(h_t * h_t).sum() for h_t in h], h[-1]], h)
    x = ts.ones(3, 2, 2, dtype="float64", device=device, requires_grad=True)
    by_input = ts.flow.influence(net(x)[0], x)
    log = ts.flow.record(loss)
    numbers += [found.map, found.shares, by_input.map, list(log.values()), *log.replay().values()]
    monitor = ts.flow.Monitor(net, max_norm=0.1)
    with ts.detect_anomaly():
        monitor.backward((net(ts.ones(3, 2, 2, device=device).to("float64"))[0] ** 2).sum())
    return [*numbers, monitor.norms, *monitor.saturation.values(), *monitor.states.values()]


@pytest.fixture(params=["cuda", "cuda:1"])
def device(gpu, request):
    if int(request.param[5:] or 0) >= ts.cuda.device_count():
        pytest.skip("there is one GPU here")
    return request.param


def assert_same(found, expected):
    for there, here in zip(found, expected, strict=True):
        assert not isinstance(there, np.ndarray) or type(there) is np.ndarray
        np.testing.assert_allclose(np.array(there), np.array(here), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_device_agrees_with_the_host(device, layer):
    assert_same(insight(device, layer), insight("cpu", layer))


def test_a_loop_may_go_from_device_to_device(gpu):
    """Every step is on another device than the one before: weights, states and losses."""

    def insight(devices):
        w = nn.Parameter(np.linspace(-1.0, 1.0, 9).reshape(3, 3), device=devices[0])
        first = h = ts.tensor(np.ones((2, 3)), device=devices[0], requires_grad=True)
        states = []
        for t in range(4):
            with ts.scope(step=t):
                place = devices[t % len(devices)]
                h = (h.to(place) @ w.to(place)).tanh().named("h")
                states.append(h)
        losses = [*[(h * h).sum() for h in states], h]
        log, shares = ts.flow.record(losses[-2]), ts.flow.itemize(losses[-2], w)
        maps = [ts.flow.influence(losses, states).map]
        first.register_hook(lambda g: None)
        maps += [ts.flow.influence(losses, [first, *states]).map]
        return [*maps, shares.items, *log.values(), *log.replay().values()]

    devices = ["cpu", "cuda:0", "cuda:1"][:1 + ts.cuda.device_count()]
    expected = insight(["cpu"])
    for order in (devices, devices[::-1]):
        found = insight(order)
        assert_same(found[:3], expected[:3])
        assert_same(found[-2:], expected[-2:])


def test_a_step_may_use_a_weight_on_two_devices(gpu):
    """What comes back from them is added up where the weight is."""

    def shares(there):
        w = nn.Parameter(np.linspace(-1.0, 1.0, 9).reshape(3, 3), device="cpu" if there == "cpu" else "cuda:0")
        h = ts.tensor(np.ones((2, 3)), device=w.device)
        for t in range(3):
            with ts.scope(step=t):
                h = (h @ w + (h.to(there) @ w.to(there) + h.to(there) @ w.to(there).T).to(w.device)).tanh()
        loss = (h * h).sum()
        found = ts.flow.itemize(loss, w)
        loss.backward()
        np.testing.assert_allclose(found.items.sum(0), w.grad.numpy(), rtol=1e-12)
        return found.items

    expected = shares("cpu")
    for there in [f"cuda:{number}" for number in range(ts.cuda.device_count())]:
        np.testing.assert_allclose(shares(there), expected, rtol=1e-12)


def test_the_derivation_agrees(device):
    ts.manual_seed(0)
    rnn = nn.RNN(2, 3).to("float64").to(device)
    found = ts.flow.derivation(rnn, np.ones((4, 2)))
    np.testing.assert_allclose(found.terms, found.items, rtol=1e-12, atol=1e-12)


def test_an_anomaly_is_found_there_too(device):
    w = ts.tensor([1.0, 0.0], device=device, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"step 0, root: log gave -inf at \[1\] of \(2,\)"), ts.detect_anomaly():
        with ts.scope(step=0):
            y = w.log().named("root")
        y.sum().backward()
    with pytest.raises(RuntimeError, match="rule of sqrt gave a leaf inf"), ts.detect_anomaly():
        w.sqrt().sum().backward()
