"""Training on a GPU: the CPU's weights, no memory lost, threads and streams; on the strict double, or a real device.

The op table, layers and pictures are asked of a device where they are tested (tests marked `gpu`).
"""

import threading

import numpy as np
import pytest
from networks import KINDS

import tinygrad_seq as ts
from tinygrad_seq import nn


class Reader(nn.Module):
    """A small language model: ids, a recurrent layer, a guess at the next id."""

    def __init__(self, layer=nn.LSTM, vocabulary=11, width=8):
        self.table, self.net = nn.Embedding(vocabulary, width), layer(width, width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        return self.head(self.net(self.table(ids))[0])


def text(steps, batch=4):
    """Ids that count up, and the next ones."""
    ids = (np.arange(steps + 1)[:, None] + 3 * np.arange(batch)) % 11
    return ids[:-1], ids[1:]


def training(model, device, updates, steps=6, replayed=False):
    """Train a model; return its losses."""
    model.to(device)
    optimizer = ts.optim.Adam(model.parameters(), lr=0.02)
    ids, targets = (ts.tensor(part, device=device) for part in text(steps))

    def step(ids, targets):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(ids), targets)
        loss.backward()
        ts.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    run = ts.replay(step) if replayed else step
    return [run(ids, targets) for _ in range(updates)]


def trained(device, updates=7, **options):
    ts.manual_seed(0)
    model = Reader()
    return training(model, device, updates, **options), model


@pytest.mark.parametrize("replayed", [False, True], ids=["eager", "replayed"])
def test_every_parameter_is_the_cpus(gpu, replayed):
    (here, model), (there, twin) = trained("cpu"), trained("cuda", replayed=replayed)
    np.testing.assert_allclose(there, here, rtol=1e-4)
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_cpus_for_every_layer(gpu, kind):
    ts.manual_seed(0)
    layer = KINDS[kind].layer(3, 4, num_layers=2, **KINDS[kind].options)
    errors = ts.compare_devices(layer.to("cpu"), ts.randn(5, 2, 3, device="cpu"))
    assert max(errors.values()) < 1e-4


def test_a_language_model_learns(gpu):
    losses, _ = trained("cuda", 30)
    assert losses[-1] < 0.6 * losses[0]


def test_the_memory_of_a_step_is_given_back(gpu):
    """Of 1,000 steps on a device; fewer on the double, which counts every byte."""
    model = Reader()
    training(model, "cuda", 5)
    before = ts.cuda.memory().used
    training(model, "cuda", 1000 if gpu is None else 10)
    ts.cuda.synchronize()
    assert ts.cuda.memory().used == before


def test_threads_train_as_one_does(gpu):
    def work(number):
        rng = np.random.default_rng(number)
        w = nn.Parameter(rng.standard_normal((4, 4)), device="cuda")
        optimizer = ts.optim.SGD([w], lr=0.1, momentum=0.9)
        for _ in range(20):
            optimizer.zero_grad()
            ((w @ w.T - ts.eye(4, dtype="float64", device="cuda")) ** 2).mean().backward()
            optimizer.step()
        found[number] = w.numpy()

    found = {}
    for number in range(4):
        work(number)
    alone, found = found, {}
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, expected in alone.items():
        np.testing.assert_allclose(found[number], expected, rtol=1e-9, atol=1e-12)


def test_a_stream_of_the_users_own(gpu):
    """What is queued on another stream is waited for when it is read."""
    if gpu is not None:
        pytest.skip("the double knows nothing of streams")
    import cupy

    x = ts.randn(200, 200, device="cuda")
    expected = (x @ x).sum().item()
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.wait_event(cupy.cuda.Stream.null.record())
        assert (x @ x).sum().item() == pytest.approx(expected, rel=1e-4)
