"""What must hold for any recurrent layer, whatever its weights: symmetries, compositions, and what may depend on what.

None needs an oracle: the layer is its own. Samples of a batch know nothing of each other; a sequence may be cut and the
state carried over; a deep network is its layers one after another; two directions are two networks; nothing depends on
the future. Where the same products are made of the same numbers, forward values are equal bit for bit. The graph holds
each parameter once, however often it is used, and grows by the same number of nodes with every step.
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from laws import assert_near, assert_same, host
from networks import KINDS, flat, gradients, packed, runs, seeds, small

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors

ONE, ONE_WAY = st.just(1), st.just(False)
everything = given(run=runs())
plain = given(run=runs(layers=ONE, bidirectional=ONE_WAY, longest=6))


def drawn_like(run, outputs):
    return [run.rng.normal(size=y.shape) for y in outputs]


def level(run, number, suffix, width):
    """A one-way, one-layer network with the weights of one layer and direction of the run's."""
    bias = hasattr(run.layer, "bias_ih_l0")
    single = run.kind.layer(width, run.sizes["H"], bias=bias, **run.kind.options).to("float64")
    for name, parameter in single.named_parameters():
        parameter.assign(getattr(run.layer, name.replace("_l0", f"_l{number}") + suffix))
    return single


# ------------------------------------------------------------------------------------------------------------- batches


@everything
def test_the_order_of_a_batch_is_only_an_order(run):
    order = run.rng.permutation(run.sizes["B"])
    parameters = list(run.layer.parameters())
    outputs, leaves = run()
    upstream = drawn_like(run, outputs)
    found = gradients(outputs, upstream, *leaves, *parameters)
    shuffled, others = run(run.x[:, order], [s[:, order] for s in run.states])
    there = gradients(shuffled, [u[:, order] for u in upstream], *others, *parameters)
    assert_near(host(shuffled), [y[:, order] for y in host(outputs)])
    assert_near(there[: len(leaves)], [g[:, order] for g in found[: len(leaves)]])
    assert_near(there[len(leaves) :], found[len(leaves) :])


@everything
def test_a_batch_is_each_sequence_alone(run):
    parameters = list(run.layer.parameters())
    outputs, leaves = run()
    upstream = drawn_like(run, outputs)
    found, total = gradients(outputs, upstream, *leaves, *parameters), None
    for b in range(run.sizes["B"]):
        one = slice(b, b + 1)
        alone, own = run(run.x[:, one], [s[:, one] for s in run.states])
        assert_near(host(alone), [y[:, one] for y in host(outputs)])
        there = gradients(alone, [u[:, one] for u in upstream], *own, *parameters)
        assert_near(there[: len(own)], [g[:, one] for g in found[: len(own)]])
        shares = there[len(own) :]
        total = shares if total is None else [a + b for a, b in zip(total, shares, strict=True)]
    assert_near(total, found[len(leaves) :])


@given(data=st.data())
def test_batch_first_and_no_batch_are_other_layouts_of_the_same(data):
    run = data.draw(runs(batch_first=True))
    outputs, leaves = run()
    upstream = drawn_like(run, outputs)
    found = gradients(outputs, upstream, *leaves)
    run.layer.batch_first = False
    turned, others = run(run.x.swapaxes(0, 1))
    there = gradients(turned, [upstream[0].swapaxes(0, 1), *upstream[1:]], *others)
    assert_same(host(turned), [outputs[0].numpy().swapaxes(0, 1), *host(outputs[1:])])
    assert_same(there, [found[0].swapaxes(0, 1), *found[1:]])
    for batch_first in (False, True):  # one sequence (T, I) is the same to both
        run.layer.batch_first = batch_first
        alone, _ = run(run.x[0], [s[:, 0] for s in run.states])
        run.layer.batch_first = True
        batch, _ = run(run.x[:1], [s[:, :1] for s in run.states])
        assert_same(host(alone), [batch[0].numpy()[0], *(y.numpy()[:, 0] for y in batch[1:])])


# ---------------------------------------------------------------------------------------------------------------- time


@plain
def test_a_layer_is_its_cell_step_by_step(run):
    outputs, _ = run()
    cell = run.kind.cell(run.sizes["I"], run.sizes["H"], bias=hasattr(run.layer, "bias_ih_l0"), **run.kind.options)
    cell.to("float64")
    for name, parameter in cell.named_parameters():
        parameter.assign(getattr(run.layer, f"{name}_l0"))
    state, hidden = packed([ts.tensor(s[0], requires_grad=True) for s in run.states]), []
    for x_t in run.x:
        state = cell(ts.tensor(x_t), state)
        hidden.append(flat(state)[0])
    by_hand = [ts.stack(hidden), *(part.expand_dims(0) for part in flat(state))]
    assert_same(host(by_hand), host(outputs))
    upstream = drawn_like(run, outputs)
    assert_near(gradients(by_hand, upstream, *cell.parameters()), gradients(outputs, upstream, *run.layer.parameters()))


@given(run=runs(bidirectional=ONE_WAY, longest=6), data=st.data())
def test_two_halves_with_the_state_carried_are_the_whole(run, data):
    assume(run.sizes["T"] > 1)
    cut = data.draw(st.integers(1, run.sizes["T"] - 1))
    outputs, leaves = run()
    first, *state = flat(run.layer(leaves[0][:cut], packed(leaves[1:])))
    second, *state = flat(run.layer(leaves[0][cut:], packed(state)))
    halves = [ts.concatenate([first, second]), *state]
    assert_same(host(halves), host(outputs))
    upstream, sources = drawn_like(run, outputs), [*leaves, *run.layer.parameters()]
    assert_near(gradients(halves, upstream, *sources), gradients(outputs, upstream, *sources))


@given(run=runs(longest=6), data=st.data())
def test_nothing_depends_on_the_future(run, data):
    t, both = data.draw(st.integers(0, run.sizes["T"] - 1)), len(run.layer.directions) > 1
    assume(not both or run.sizes["layers"] == 1)  # from the second layer on, each side has seen the whole sequence
    size = run.sizes["H"]
    changed = run.x.copy()
    changed[t] += 1.0
    (out, *_), leaves = run()
    other = run(changed)[0][0]
    assert_same([other.numpy()[:t, :, :size]], [out.numpy()[:t, :, :size]])
    assert np.any(other.numpy()[t:, :, :size] != out.numpy()[t:, :, :size]) or run.kind.options.get("nonlinearity")
    if t:
        (g,) = gradients([out[:t, :, :size].sum()], [np.array(1.0)], leaves[0])
        assert np.all(g[t:] == 0)
    if both:  # the other direction knows nothing of the past
        assert_same([other.numpy()[t + 1 :, :, size:]], [out.numpy()[t + 1 :, :, size:]])


# ------------------------------------------------------------------------------------------------- layers, directions


@everything
def test_a_deep_network_is_its_layers_and_directions_one_by_one(run):
    """Each layer reads what the one below shows; the reverse side is a network that reads the sequence backwards."""
    outputs, leaves = run()
    steps, finals, row = leaves[0], [], 0
    for number in range(run.sizes["layers"]):
        sides = []
        for suffix in ("", "_reverse")[: len(run.layer.directions)]:
            turn = (lambda y: y.flip(0)) if suffix else (lambda y: y)
            single = level(run, number, suffix, steps.shape[-1])
            out, *final = flat(single(turn(steps), packed([s[row : row + 1] for s in leaves[1:]])))
            sides.append(turn(out))
            finals.append(final)
            row += 1
        steps = ts.concatenate(sides, -1)
    by_hand = [steps, *(ts.concatenate(parts) for parts in zip(*finals, strict=True))]
    assert_same(host(by_hand), host(outputs))
    upstream = drawn_like(run, outputs)
    assert_near(gradients(by_hand, upstream, *leaves), gradients(outputs, upstream, *leaves))


@everything
def test_no_first_state_is_zeros(run):
    zeros = [np.zeros_like(s) for s in run.states]
    assert_same(host(flat(run.layer(ts.tensor(run.x)))), host(run(states=zeros)[0]))


NAMES = [
    "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
    "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse",
    "weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1",
    "weight_ih_l1_reverse", "weight_hh_l1_reverse", "bias_ih_l1_reverse", "bias_hh_l1_reverse",
]  # fmt: skip


@pytest.mark.parametrize("layer, gates", [(nn.RNN, 1), (nn.LSTM, 4), (nn.GRU, 3)])
@given(inputs=small, hidden=small, layers=st.integers(1, 2), both=st.booleans(), bias=st.booleans(), seed=seeds)
def test_parameters_are_named_shaped_and_ordered_as_in_pytorch(layer, gates, inputs, hidden, layers, both, bias, seed):
    ts.manual_seed(seed)
    made = layer(inputs, hidden, num_layers=layers, bias=bias, bidirectional=both)
    found = dict(made.named_parameters())
    assert list(found) == [name for name in NAMES if (both or "reverse" not in name) and (bias or "bias" not in name)
                           and (layers > 1 or "_l0" in name)]  # fmt: skip
    for name, parameter in found.items():
        width = hidden if "hh" in name else inputs if "_l0" in name else hidden * (1 + both)
        assert parameter.shape == ((gates * hidden, width) if "weight" in name else (gates * hidden,))
        assert (parameter.name, parameter.dtype, parameter.requires_grad) == (name, np.float32, True)
        assert np.all(np.abs(parameter.numpy()) <= np.float32(hidden**-0.5))
    ts.manual_seed(seed)
    again = layer(inputs, hidden, num_layers=layers, bias=bias, bidirectional=both)
    assert_same([p.numpy() for p in again.parameters()], [p.numpy() for p in found.values()])
    other = layer(inputs, hidden, num_layers=layers, bias=bias, bidirectional=both)
    assert any(np.any(a.numpy() != b.numpy()) for a, b in zip(other.parameters(), found.values(), strict=True))


# --------------------------------------------------------------------------------------------------------- the graph


@everything
def test_a_parameter_is_one_node_and_is_used_at_every_step(run):
    outputs, leaves = run()
    nodes = ancestors([y.node for y in outputs])
    parameters = {p.node: p for p in run.layer.parameters()}
    learned = [node for node in nodes if node.op is None and node.requires_grad]
    assert set(learned) == {*parameters, *(value.node for value in leaves)}
    assert [node.name for node in parameters] == [name for name, _ in run.layer.named_parameters()]
    products = Counter(node.parents[1] for node in nodes if node.op is not None and node.op.name == "matmul")
    assert set(products.values()) == {run.sizes["T"]}  # each weight, transposed once, meets every step
    weights = sum("weight" in p.name for p in parameters.values())
    split = run.kind.options.get("reset_after") is False  # the original GRU multiplies W_hh in two parts
    assert len(products) == weights + (weights // 2 if split else 0)


@pytest.mark.parametrize("kind", KINDS)
@given(layers=st.integers(1, 2), both=st.booleans(), state=st.booleans())
def test_every_step_adds_the_same_number_of_nodes(kind, layers, both, state):
    layer = KINDS[kind].layer(2, 2, num_layers=layers, bidirectional=both, **KINDS[kind].options)
    rows = (layers * (1 + both), 1, 2)

    def count(steps):
        states = [ts.zeros(*rows) for _ in range(KINDS[kind].cell.states)] if state else []
        return len(ancestors([y.node for y in flat(layer(ts.zeros(steps, 1, 2), packed(states)))]))

    counts = [count(steps) for steps in (1, 2, 3, 4, 50)]
    increment = counts[1] - counts[0]
    assert increment > 0
    assert counts == [counts[0] + increment * (steps - 1) for steps in (1, 2, 3, 4, 50)]
