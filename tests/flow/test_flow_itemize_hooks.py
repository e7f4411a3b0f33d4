"""A hook hears the whole gradient, not the shares of the steps: where it changes that, only the sum is itemised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import gradients, leaf, near, runs, weighted

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


@given(run=runs(longest=3), data=st.data())
def test_items_sum_to_the_gradient_wherever_a_hook_is(run, data):
    """But on the parameter itself. Between the steps and a parameter a hook sees the sum, and only the sum goes on."""
    outputs, _ = run()
    loss = weighted(outputs, run.rng)
    made = [node for node in ancestors([loss.node], constants=False) if node.op is not None and not node.op.joint]
    made = [node for node in made if node.op.name not in ("split", "unstack")]  # of these, the parts are Tensors
    hook = st.sampled_from([lambda g: None, lambda g: g * 2.0, lambda g: g.clip(-0.1, 0.1)])
    for node in data.draw(st.lists(st.sampled_from(made), max_size=4)):
        node.hooks = {0: data.draw(hook)}
    shares = {name: ts.flow.itemize(loss, parameter) for name, parameter in run.layer.named_parameters()}
    loss.backward()
    for name, parameter in run.layer.named_parameters():
        near(shares[name].items.sum(0), parameter.grad.numpy())


def test_hooks_on_all_parts_of_a_split_before_the_steps():
    w, h = leaf(np.arange(6.0).reshape(3, 2)), ts.tensor(np.ones(2))
    parts = ts.split(w, (1, 2))
    for part in parts:
        part.register_hook(lambda g: g * 2.0)
    with ts.scope(step=0):
        loss = sum(((part @ h) ** 2.0).sum() for part in parts)
    shares = ts.flow.itemize(loss, w)
    loss.backward()
    near(shares.items.sum(0), w.grad.numpy())


@pytest.mark.parametrize("hook, steps", [(None, [0, 1, 2]), (lambda g: g.clip(-0.1, 0.1), [None])])
def test_what_a_hook_makes_of_the_sum_is_one_item(hook, steps):
    w, h, seen = leaf(np.eye(2) * 0.5), ts.tensor(np.ones(2)), []
    turned = w.T
    if hook is not None:
        turned.register_hook(lambda g: (seen.append(g), hook(g))[1])
    for t in range(3):
        with ts.scope(step=t):
            h = (h @ turned).tanh()
    shares = ts.flow.itemize(h.sum(), w)
    assert shares.steps == steps and len(seen) == (hook is not None)
    near(shares.items.sum(0), gradients([h], [np.ones(2)], w)[0])


def test_a_hook_on_the_parameter_is_not_part_of_its_shares():
    rnn, calls = nn.RNN(2, 3).to("float64"), []
    out, _ = rnn(ts.tensor(np.ones((3, 1, 2))))
    plain = ts.flow.itemize(out.sum(), rnn.weight_hh_l0).items
    ts.flow.states(out)[1].register_hook(lambda g: calls.append("h"))
    rnn.weight_hh_l0.register_hook(lambda g: (calls.append("w"), g.clip(-0.01, 0.01))[1])
    near(ts.flow.itemize(out.sum(), rnn.weight_hh_l0).items, plain)
    assert calls == ["h", "w"]
