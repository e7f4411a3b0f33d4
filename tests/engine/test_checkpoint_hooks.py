"""Hooks in and around a checkpoint are called once, in their order, with the whole gradient."""

import numpy as np
from checkpointed_windows import plain

import tinygrad_seq as ts


def test_an_output_that_others_are_made_from_has_its_whole_gradient():
    def f(x):
        h = x.tanh()
        c = h * h
        return h, c, c.sin()

    found = []
    for call in (plain, ts.checkpoint):
        x, heard = ts.tensor([0.3, -2.0], requires_grad=True), []
        h, c, y = call(f, x)
        h.register_hook(lambda g, heard=heard: heard.append(g.tolist()) or g * 2.0)
        c.retain_grad()
        loss = (y * h).sum()
        wanted = [g.tolist() for g in ts.grad(loss, [h, c], retain_graph=True)]
        loss.backward()
        found.append((wanted, heard, c.grad.tolist(), x.grad.tolist()))
    assert np.allclose(found[0][0], found[1][0]) and np.allclose(found[0][1], found[1][1])
    assert found[0][2:] == found[1][2:]


def test_a_hook_stays_when_its_tensor_is_gone():
    """In second order, too, where it hears the gradient through the first backward as well."""
    found = []
    for call in (plain, ts.checkpoint):
        x, heard = ts.tensor([0.3, -2.0], requires_grad=True), []
        y = call(ts.tanh, x)
        y.register_hook(lambda g, heard=heard: heard.append(g.tolist()))
        z = (y * y).sum()
        del y
        first = ts.grad(z, x, create_graph=True)
        (first * first).sum().backward()
        found.append((heard, x.grad.tolist()))
    assert np.allclose(found[0][0], found[1][0]) and np.allclose(found[0][1], found[1][1]) and len(found[0][0]) == 2


def test_a_hook_that_the_function_registers_on_what_it_reads():
    found = []
    for call in (plain, ts.checkpoint):
        x, heard = ts.ones(2, requires_grad=True), []

        def f(y, heard=heard):
            y.register_hook(lambda g: heard.append(g.tolist()) or g * 3.0)
            return y * y

        call(f, x * 1.0).sum().backward()
        found.append((heard, x.grad.tolist()))
    assert found[0] == found[1] and len(found[0][0]) == 1


def test_hooks_keep_their_order_and_are_removed():
    def f(x):
        y = x * 2.0
        y.register_hook(lambda g: g + 1.0)
        return y, y.register_hook(lambda g: g * 100.0)

    x = ts.ones(1, requires_grad=True)
    y, remove = ts.checkpoint(f, x)
    y.register_hook(lambda g: g * 10.0)
    remove()
    y.sum().backward()
    assert x.grad.tolist() == [40.0]


def test_hooks_are_called_once_with_the_same_gradient():
    heard = []

    def f(x):
        y = x * 2.0
        y.register_hook(lambda g: heard.append(("inside", g.tolist())) or g * 3.0)
        return y * y

    results = []
    for call in (plain, ts.checkpoint):
        heard.clear()
        x = ts.tensor([1.0, 2.0], requires_grad=True)
        a = x * 1.0
        a.register_hook(lambda g: heard.append(("outside", g.tolist())))
        y = call(f, a)
        y.register_hook(lambda g: heard.append(("result", g.tolist())))
        y.sum().backward()
        results.append((list(heard), x.grad.tolist()))
    assert results[0] == results[1] and len(results[0][0]) == 3
