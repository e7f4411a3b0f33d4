"""Itemised gradients: the shares of the steps sum to the gradient, and each is what an untied weight would get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import KINDS, gradients, leaf, near, packed, runs, seeds, small, weighted

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


@given(run=runs(proj=True, layers=st.integers(1, 2)))
def test_items_sum_to_the_gradient_for_every_parameter(run):
    outputs, _ = run()
    loss = weighted(outputs, run.rng)
    shares = {name: ts.flow.itemize(loss, parameter) for name, parameter in run.layer.named_parameters()}
    loss.backward()
    for name, parameter in run.layer.named_parameters():
        found = shares[name]
        assert found.steps == list(range(run.sizes["T"]))
        assert len(set(found.places)) == 1
        assert found.items.shape == (run.sizes["T"], *parameter.shape) and found.items.dtype == parameter.dtype
        near(found.items.sum(0), parameter.grad.numpy())


@given(kind=st.sampled_from(sorted(KINDS)), seed=seeds, steps=st.integers(1, 5), batch=small, inputs=small,
       hidden=small, bias=st.booleans(), reverse=st.booleans())  # fmt: skip
def test_an_item_is_the_gradient_of_an_untied_weight(kind, seed, steps, batch, inputs, hidden, bias, reverse):
    rng, options = np.random.default_rng(seed), KINDS[kind].options
    ts.manual_seed(seed)
    cell = KINDS[kind].cell(inputs, hidden, bias=bias, **options).to("float64")
    copies = [KINDS[kind].cell(inputs, hidden, bias=bias, **options).to("float64") for _ in range(steps)]
    x = ts.tensor(rng.uniform(-1, 1, (steps, batch, inputs)))
    state = untied = packed([ts.tensor(rng.uniform(-1, 1, (batch, hidden))) for _ in range(cell.states)])
    tied_out, untied_out = [], []
    for t in reversed(range(steps)) if reverse else range(steps):
        copies[t].load_state_dict(cell.state_dict())
        with ts.scope(step=t):
            state = cell(x[t], state)
        untied = copies[t](x[t], untied)
        tied_out.append(state[0] if cell.states > 1 else state)
        untied_out.append(untied[0] if cell.states > 1 else untied)
    loss, other = weighted(tied_out, np.random.default_rng(seed)), weighted(untied_out, np.random.default_rng(seed))
    other.backward()
    for name, parameter in cell.named_parameters():
        shares = ts.flow.itemize(loss, parameter)
        assert shares.steps == list(range(steps))
        for t in range(steps):
            near(shares.items[t], dict(copies[t].named_parameters())[name].grad.numpy())


@given(run=runs(kinds=("lstm", "gru"), layers=st.integers(1, 2), longest=5), data=st.data())
def test_padding_has_no_share(run, data):
    lengths = data.draw(st.lists(st.integers(0, run.sizes["T"]), min_size=run.sizes["B"], max_size=run.sizes["B"]))
    out, _ = run.layer(ts.tensor(run.x), lengths=lengths)
    loss = weighted([out], run.rng)
    shares = {name: ts.flow.itemize(loss, parameter) for name, parameter in run.layer.named_parameters()}
    loss.backward()
    for name, parameter in run.layer.named_parameters():
        near(shares[name].items.sum(0), parameter.grad.numpy())
        assert not shares[name].items[max(lengths) :].any()


@given(run=runs(), data=st.data())
def test_nothing_is_changed_by_looking(run, data):
    outputs, leaves = run()
    loss = weighted(outputs, run.rng)
    before = [(node.serial, node.scope, node.saved, node.output, node.owner) for node in ancestors([loss.node])]
    for parameter in data.draw(st.lists(st.sampled_from(list(run.layer.parameters())), min_size=1, max_size=3)):
        ts.flow.itemize(loss, parameter)
        assert parameter.grad is None
    after = [(node.serial, node.scope, node.saved, node.output, node.owner) for node in ancestors([loss.node])]
    assert all(a[i] is b[i] for a, b in zip(before, after, strict=True) for i in range(1, 5))
    assert [leaf.grad for leaf in leaves] == [None] * len(leaves)


def test_one_walk_and_short_ways():
    """The shares are formed by the one backward: rules run as often as in it, and a few times more for each step."""
    lstm = nn.LSTM(3, 4)
    out, _ = lstm(ts.randn(20, 2, 3))
    rule, calls = ts.tanh.op.rules, []
    ts.tanh.op.rules = (lambda *args: (calls.append(1), rule[0](*args))[1],)
    try:
        ts.flow.itemize(out.sum(), lstm.weight_hh_l0)
    finally:
        ts.tanh.op.rules = rule
    assert len(calls) == 40


def test_uses_outside_all_steps_share_one_item():
    """A weight that embeds and predicts: once in every step, and once after them."""
    table, cell = nn.Embedding(7, 4).to("float64"), nn.RNNCell(4, 4).to("float64")
    ids, h, outs = ts.tensor(np.arange(6).reshape(3, 2)), ts.tensor(np.zeros((2, 4))), []
    for t in range(3):
        with ts.scope(step=t):
            h = cell(table(ids[t]), h)
            outs.append(h)
    loss = nn.cross_entropy(ts.stack(outs) @ table.weight.T, ids)
    shares = ts.flow.itemize(loss, table.weight)
    assert shares.steps == [0, 1, 2, None]
    assert "outside all steps" in repr(shares)
    for t in range(3):
        assert np.flatnonzero(shares.items[t].any(1)).tolist() == ids[t].tolist()
    loss.backward()
    near(shares.items.sum(0), table.weight.grad.numpy())


def test_what_is_looked_up_before_the_loop_is_itemised_by_the_step_that_reads_it():
    table, gru = nn.Embedding(9, 4).to("float64"), nn.GRU(4, 3).to("float64")
    ids = np.arange(8).reshape(4, 2)
    out, _ = gru(table(ids))
    loss = (out * out).sum()
    shares = ts.flow.itemize(loss, table.weight)
    assert shares.steps == [0, 1, 2, 3]
    for t in range(4):
        assert np.flatnonzero(shares.items[t].any(1)).tolist() == ids[t].tolist()
    loss.backward()
    near(shares.items.sum(0), table.weight.grad.numpy())


@pytest.mark.parametrize("prepared", [
    lambda w, mask: w.T, lambda w, mask: w * 0.5, lambda w, mask: mask * w, lambda w, mask: mask @ w,
    lambda w, mask: w.exp(), lambda w, mask: w / ((w * w).sum(1, keepdims=True).sqrt() + 1e-6),
    lambda w, mask: ts.concatenate([mask[:1], w[1:]]),
], ids=["transposed", "scaled", "masked", "projected", "positive", "normed", "in part"])  # fmt: skip
def test_what_prepares_a_weight_is_a_use_of_the_steps(prepared):
    w, h = leaf(np.arange(9.0).reshape(3, 3) / 9), ts.tensor(np.ones((1, 3)))
    made = prepared(w, ts.tensor(np.eye(3) + np.tri(3)))
    for t in range(3):
        with ts.scope(step=t):
            h = (h @ made).tanh()
    assert ts.flow.itemize(h.sum(), w).steps == [0, 1, 2]


@pytest.mark.parametrize("curved", [ts.tanh, ts.exp, ts.abs, lambda x: x * x, lambda x: ts.log_softmax(x, -1)])
def test_a_result_of_data_that_a_step_reads_is_a_use_outside_all_steps(curved):
    """The step has never seen the weight."""
    w = leaf(np.eye(3))
    h = curved(ts.tensor(np.ones((1, 3))) @ w)
    with ts.scope(step=1):
        loss = (h * 2.0).sum()
    shares = ts.flow.itemize(loss, w)
    loss.backward()
    assert shares.steps == [None]
    near(shares.items.sum(0), w.grad.numpy())


@pytest.mark.parametrize("read", [
    lambda x, t: x[t],
    lambda x, t: x[[t]].reshape(-1),
    lambda x, t: x.take([t]).squeeze(0),
], ids=["slice", "gather", "take"])  # fmt: skip
def test_a_parameter_read_piece_by_piece_inside_the_steps(read):
    rows = leaf(np.arange(6.0).reshape(3, 2))
    total = ts.tensor(np.zeros(2))
    for t in range(3):
        with ts.scope(step=t):
            total = total + read(rows, t) * float(t + 1)
    shares = ts.flow.itemize(total.sum(), rows)
    near(shares.items, [[[(t + 1.0) * (t == row)] * 2 for row in range(3)] for t in range(3)])


@given(seed=seeds, steps=st.integers(1, 4))
def test_several_uses_in_a_step_are_one_item(seed, steps):
    """Directly, and by way of what was made of the weight once for all steps."""
    rng = np.random.default_rng(seed)
    copies = [leaf(rng.normal(size=(3, 3)))] * steps
    x = ts.tensor(rng.normal(size=(steps, 3)))

    def loss_of(weights):
        turned, h = [w.T for w in weights] if len(set(map(id, weights))) > 1 else [weights[0].T] * steps, x[0] * 0.0
        for t in range(steps):
            with ts.scope(step=t):
                h = (turned[t] @ (turned[t] @ h + x[t]) + weights[t] @ h).tanh()
        return h.sum()

    shares = ts.flow.itemize(loss_of(copies), copies[0])
    untied = [leaf(copies[0].numpy()) for _ in range(steps)]
    loss_of(untied).backward()
    near(shares.items, [w.grad.numpy() for w in untied])


@given(seed=seeds, shape=st.sampled_from([(), (1,), (0, 2), (2, 1)]), steps=st.integers(0, 3))
def test_a_parameter_may_be_of_any_shape_and_a_result_too(seed, shape, steps):
    """A number, nothing at all, what was itself made from another, and the loss itself."""
    w, x = leaf(np.random.default_rng(seed).normal(size=shape)), leaf(2.0)
    for parameter in (w, w * x):
        h = parameter * 1.0
        for t in range(steps):
            with ts.scope(step=t):
                h = h * parameter
        loss = h.sum()
        shares = ts.flow.itemize(loss, parameter)
        assert shares.steps == ([*range(steps)] or [None]) and len(shares.norms) == len(shares)
        assert shares.items.shape == (len(shares), *shape) and "of length" in repr(shares)
        near(shares.items.sum(0), ts.grad(loss, parameter, retain_graph=True).numpy())
    if w.size == 1:
        near(ts.flow.itemize(w, w).items, np.ones((1, *shape)))


def test_without_steps_there_is_one_item():
    w = leaf([1.0, 2.0])
    shares = ts.flow.itemize((w * w).sum(), w)
    assert shares.steps == [None]
    near(shares.items, [[2.0, 4.0]])
    shares = ts.flow.itemize(leaf([3.0]).sum() + w.sum(), w)
    near(shares.items, [[1.0, 1.0]])


def test_two_calls_of_one_layer_are_two_places():
    rnn, x = nn.RNN(2, 3).to("float64"), ts.tensor(np.ones((3, 1, 2)))
    _, h = rnn(x)
    again, _ = rnn(x, h)
    shares = ts.flow.itemize(again.sum(), rnn.weight_hh_l0)
    assert shares.steps == [0, 1, 2] * 2
    assert shares.places == ["RNN, layer 0, forward"] * 3 + ["RNN, layer 0, forward (2)"] * 3
    near(shares.items.sum(0), gradients([again], [np.ones(again.shape)], rnn.weight_hh_l0)[0])


def test_a_loop_of_ones_own_that_begins_anew_is_windows():
    w, h = leaf(np.eye(2)), ts.tensor(np.ones((1, 2)))
    for t in [0, 1, 2, 0, 1]:
        with ts.scope(step=t):
            h = (h @ w).tanh()
    shares = ts.flow.itemize(h.sum() + w.sum(), w)
    assert shares.places == ["window 1"] * 3 + ["window 2"] * 2 + [""]
    said = [line.split("  ")[1].strip() for line in repr(shares).splitlines()[1:]]
    assert said[0] == "window 1, step 0" and said[4] == "window 2, step 1" and said[5].startswith("outside all steps")


def test_layers_that_share_a_weight_are_two_places():
    rnn = nn.RNN(3, 3, num_layers=2).to("float64")
    rnn.weight_hh_l1 = rnn.weight_hh_l0
    out, _ = rnn(ts.tensor(np.ones((2, 1, 3))))
    shares = ts.flow.itemize(out.sum(), rnn.weight_hh_l0)
    assert shares.steps == [0, 1, 0, 1]
    assert shares.places == ["RNN, layer 0, forward"] * 2 + ["RNN, layer 1, forward"] * 2
    near(shares.items.sum(0), gradients([out], [np.ones(out.shape)], rnn.weight_hh_l0)[0])


def test_what_cannot_be_itemised_is_said():
    rnn = nn.RNN(2, 3)
    out, _ = rnn(ts.ones(2, 1, 2))
    loss = out.sum()
    with pytest.raises(RuntimeError, match=r"itemize: .* was not used to make the loss"):
        ts.flow.itemize(loss, leaf([1.0]))
    with pytest.raises(RuntimeError, match="itemize: expected a parameter that requires a gradient"):
        ts.flow.itemize(loss, ts.ones(2))
    for bad in (None, "weight_hh_l0", rnn, [rnn.weight_hh_l0]):
        with pytest.raises(TypeError, match="itemize: the parameter must be a Tensor"):
            ts.flow.itemize(loss, bad)
    for bad in (3.0, [loss], None):
        with pytest.raises(TypeError, match="itemize: the loss must be a Tensor"):
            ts.flow.itemize(bad, rnn.weight_hh_l0)
    with pytest.raises(RuntimeError, match="one element"):
        ts.flow.itemize(out, rnn.weight_hh_l0)
    loss.backward()
    with pytest.raises(RuntimeError, match="the graph was freed"):
        ts.flow.itemize(loss, rnn.weight_hh_l0)


@given(numbers=st.lists(st.sampled_from([0.0, 1.0, np.inf, np.nan]), min_size=1, max_size=4))
def test_shares_that_are_not_finite_are_printed(numbers):
    w, total = leaf([1.0]), 0.0
    for step, number in enumerate(numbers):
        with ts.scope(step=step):
            total = total + (w * number).sum()
    lines = repr(ts.flow.itemize(total, w)).splitlines()[1:]
    assert [float(line.split()[2]) for line in lines] == pytest.approx(numbers, nan_ok=True)
    assert np.isfinite(numbers).all() or "#" not in "".join(lines)


def test_a_plot_has_a_line_for_each_place():
    pytest.importorskip("matplotlib")
    rnn = nn.RNN(3, 3, num_layers=2)
    rnn.weight_hh_l1 = rnn.weight_hh_l0
    out, _ = rnn(ts.ones(2, 1, 3))
    (axes,) = ts.flow.itemize(out.sum(), rnn.weight_hh_l0).plot().axes
    assert [line.get_label() for line in axes.lines if "RNN" in line.get_label()] == [
        f"RNN, layer {layer}, forward" for layer in (0, 1)
    ]


def test_steps_that_are_numbers_of_numpy_are_on_the_axis():
    pytest.importorskip("matplotlib")
    w, total = leaf([1.0]), 0.0
    for t in np.arange(5, 20, 5):
        with ts.scope(step=t):
            total = total + (w * float(t)).sum()
    assert ts.flow.itemize(total, w).plot().axes[0].lines[0].get_xdata().tolist() == [5, 10, 15]
