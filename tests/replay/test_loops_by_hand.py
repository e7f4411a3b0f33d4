"""Loops as people write them, without a layer: programs of them are loops, too, and compute the same."""

import loops_over_numbers  # noqa: F401 (it adds to LOOPS)
import numpy as np
import pytest
from agreement import assert_agree
from loops import LOOPS, B, H, numbers

import tinygrad_seq as ts
from tinygrad_seq import nn, optim


def trained(make, rng, **options):
    """A replayed training step, the step itself, and what makes batches for it."""
    layers, loss_of, batch = make(rng)
    for layer in layers:
        layer.to("float64")
    optimizer = optim.SGD([p for layer in layers for p in layer.parameters()], lr=0.1)

    def step(*batch):
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        return loss, [p.grad for group in optimizer.param_groups for p in group["params"]]

    return ts.replay(step, **options), step, batch


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_by_hand_is_a_loop_in_the_program(name):
    make, most = LOOPS[name]
    fast, _, batch = trained(make, np.random.default_rng(0))
    texts = []
    for steps in (14, 26):
        fast(*batch(steps))
        texts.append(fast.source[fast.source.index("def step") :].splitlines())
    assert abs(len(texts[0]) - len(texts[1])) <= most.get("rest", 0) and len(texts[1]) <= most["lines"], fast.source
    longest = [max(map(len, lines)) for lines in texts]
    assert longest[1] < 1.5 * longest[0] or not most.keys().isdisjoint(("wide", "rest")), fast.source


@pytest.mark.parametrize("name", LOOPS)
def test_a_program_of_a_loop_by_hand_computes_the_same(name):
    check(*trained(LOOPS[name][0], np.random.default_rng(1)), (3, 4, 9, 14))


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_step_of_every_window_is_a_loop_in_the_program(batch_first):
    """Truncated BPTT in one function: backward, and a step of the optimiser, for every window."""
    layer, out = nn.GRU(2, H, batch_first=batch_first).to("float64"), nn.Linear(H, 1).to("float64")
    optimizer = optim.SGD([*layer.parameters(), *out.parameters()], lr=0.1)

    def train(x, y):
        h, losses = None, []
        for k in range(0, x.shape[int(batch_first)], 4):
            window = (slice(None), slice(k, k + 4))[not batch_first :]
            optimizer.zero_grad()
            made, h = layer(x[window], h)
            loss = ((out(made) - y[window]) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            h = h.detach()
        return ts.stack(losses)

    fast, rng, texts = ts.replay(train), np.random.default_rng(0), []
    for steps in (32, 64):
        x, y = (numbers(rng, *((B, steps) if batch_first else (steps, B)), n) for n in (2, 1))
        for _ in range(3):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            before = [p.array.copy() for p in parameters]
            expected = train(x, y)
            for p, array in zip(parameters, before):
                p.array = array
            assert_agree(expected, fast(x, y), 1.0)
        texts.append(fast.source[fast.source.index("def step") :].splitlines())
    assert len(texts[0]) == len(texts[1]) < 180, fast.source


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_by_hand_is_compiled(name):
    pytest.importorskip("numba", reason="the extra 'compile'")
    fast, step, batch = trained(LOOPS[name][0], np.random.default_rng(2), compile=True)
    check(fast, step, batch, (9,))
    assert ("not compiled" in fast.source) == LOOPS[name][1].get("stays", False), fast.source


def check(fast, step, batch, lengths):
    for steps in lengths:
        for _ in range(3):
            inputs = batch(steps)
            (expected, gradients), (found, others) = step(*inputs), fast(*inputs)
            assert_agree(expected, found)
            for one, other in zip(gradients, others, strict=True):
                assert_agree(one, other, 1.0)
