"""Loops over time are found in programs that declare no steps, and nothing is found where there is no loop.

A program is written as people write it. What it should find is the lengths of its loops, inner ones after the one they
are in; a wrong find is worse than none.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.timeline import FoundStep

B, I, H, V, T = 2, 3, 4, 5, 7  # noqa: E741 (batch, input, hidden, vocabulary, time)
rng = np.random.default_rng(0)


def p(*shape):
    return nn.Parameter(rng.normal(size=shape).astype("float32") * 0.3)


def x(*shape):
    return ts.tensor(rng.normal(size=shape).astype("float32"))


def ids(t):
    return [t % V, (t + 1) % V]


def ops(output):
    return [node for node in ancestors([output.node]) if node.op is not None]


def found(output):
    return [len(loop) for loop in timeline_of(ops(output)).loops if type(loop[0].value) is FoundStep]


# ------------------------------------------------------------------------------------------------------- with a loop


def rnn_from_scratch():
    w, u, b, h = p(I, H), p(H, H), p(H), ts.zeros(B, H)
    for x_t in x(T, B, I):
        h = (x_t @ w + h @ u + b).tanh()
    return h


def rnn_in_a_class():
    class Net(nn.Module):
        def __init__(self):
            self.i2h, self.h2o = nn.Linear(I + H, H), nn.Linear(H, V)

        def forward(self, x, h):
            h = self.i2h(ts.concatenate([x, h], 1)).tanh()
            return self.h2o(h), h

    net, h = Net(), ts.zeros(B, H)
    for _ in range(T):
        y, h = net(x(B, I), h)
    return nn.cross_entropy(y, ids(0))


def lstm_from_scratch():
    w, b, h, c = p(I + H, 4 * H), p(4 * H), ts.zeros(B, H), ts.zeros(B, H)
    for x_t in x(T, B, I):
        a = ts.concatenate([x_t, h], 1) @ w + b
        i, f, o, g = a[:, :H].sigmoid(), a[:, H : 2 * H].sigmoid(), a[:, 2 * H : 3 * H].sigmoid(), a[:, 3 * H :].tanh()
        c = f * c + i * g
        h = o * c.tanh()
    return h


def cell_with_a_loss_at_each_step():
    cell, head, state, loss = nn.LSTMCell(I, H), nn.Linear(H, V), None, 0.0
    for t in range(T):
        state = cell(x(B, I), state)
        loss = loss + nn.cross_entropy(head(state[0]), ids(t))
    return loss


def losses_in_a_list():
    cell, head, h, losses = nn.GRUCell(I, H), nn.Linear(H, V), ts.zeros(B, H), []
    for t in range(T):
        h = cell(x(B, I), h)
        losses.append(nn.cross_entropy(head(h), ids(t)))
    return ts.stack(losses).mean()


def min_char():
    """Columns and one-hot vectors, the probability of the next letter by index, as in Karpathy's program."""
    wxh, whh, why, bh, by = p(H, V), p(H, H), p(V, H), p(H, 1), p(V, 1)
    h, loss = ts.zeros(H, 1), 0.0
    for t in range(T):
        xs = np.zeros((V, 1), "float32")
        xs[t % V] = 1
        h = (wxh @ ts.tensor(xs) + whh @ h + bh).tanh()
        y = why @ h + by
        prob = y.exp() / y.exp().sum()
        loss += -prob[(t + 1) % V, 0].log()
    return loss


def looked_up_and_generated():
    table, cell, head, h, y = nn.Embedding(V, I), nn.GRUCell(I, H), nn.Linear(H, V), ts.zeros(1, H), ts.zeros(1, V)
    for _ in range(T):
        h = cell(table([int(y.argmax().item())]), h)
        y = head(h)
    return y


def teacher_forcing():
    encoder, decoder, head = nn.GRU(I, H), nn.GRUCell(H, H), nn.Linear(H, V)
    table, (_, h), loss = nn.Embedding(V, H), encoder(x(T, B, I)), 0.0
    h = h[0]
    for t in range(T):
        h = decoder(table(ids(t)), h)
        loss = loss + nn.cross_entropy(head(h), ids(t + 1))
    return loss


def attention():
    encoder, decoder, head = nn.GRU(I, H), nn.GRUCell(2 * H, H), nn.Linear(H, V)
    out, h = encoder(x(T, B, I))
    keys, h, loss = out.transpose(1, 0, 2), h[0], 0.0
    for t in range(6):
        weights = (keys @ h.reshape(B, H, 1)).softmax(1)
        h = decoder(ts.concatenate([(weights * keys).sum(1), h], 1), h)
        loss = loss + nn.cross_entropy(head(h), ids(t))
    return loss


def two_loops():
    first, second, h = nn.GRUCell(I, H), nn.GRUCell(I, H), ts.zeros(B, H)
    for _ in range(T):
        h = first(x(B, I), h)
    for _ in range(5):
        h = second(x(B, I), h)
    return h


def loops_in_a_loop():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for _ in range(4):
        for _ in range(T):
            h = (x(B, I) @ w + h @ u).tanh()
        loss = loss + (h * h).sum()
    return loss


def both_directions():
    forward, backward, xs = nn.RNNCell(I, H), nn.RNNCell(I, H), x(T, B, I)
    h, back, outs, backs = ts.zeros(B, H), ts.zeros(B, H), [], []
    for x_t in xs:
        h = forward(x_t, h)
        outs.append(h)
    for t in reversed(range(T)):
        back = backward(xs[t], back)
        backs.append(back)
    return ts.concatenate([ts.stack(outs), ts.stack(backs[::-1])], 2).sum()


def one_layer_again_and_again():
    layer, h = nn.Linear(H, H), x(B, H)
    for _ in range(T):
        h = layer(h).relu()
    return h


def decaying_weight():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for t in range(T):
        h = (x(B, I) @ w + h @ u).tanh()
        loss = loss + 0.9**t * (h * h).mean()
    return loss


def states_of_a_loop():
    w, u, h, states = p(I, H), p(H, H), ts.zeros(B, H), []
    for _ in range(T):
        h = (x(B, I) @ w + h @ u).tanh()
        states.append(h)
    return states


def answers_in_a_second_loop():
    v, c = p(H, V), p(V)
    return ts.stack([h @ v + c for h in states_of_a_loop()])


def answers_of_a_layer_in_a_second_loop():
    states, head = states_of_a_loop(), nn.Linear(H, V)
    return ts.stack([head(h).tanh() for h in states])


def answers_in_another_order():
    states, v = states_of_a_loop(), p(H, V)
    return ts.stack([(states[t] @ v).tanh() for t in (0, 3, 1, 2, 6, 5, 4)])


def windows_cut_by_hand():
    w, u, h, loss = p(I, H), p(H, H), ts.zeros(B, H), 0.0
    for t in range(T):
        h = (x(B, I) @ w + (h.detach() if t % 3 == 2 else h) @ u).tanh()
        loss = loss + (h * h).mean()
    return loss


def euler():
    """Of the first step, whose state is a constant, less is recorded."""
    w, h = p(H, H), x(B, H)
    for _ in range(T):
        h = h + 0.1 * ((h * h) @ w).tanh()
    return h


def runge_kutta():
    w, y = p(H, H), x(B, H)
    for _ in range(T):
        k1 = (y @ w).tanh()
        k2 = ((y + 0.5 * k1) @ w).tanh()
        k3 = ((y + 0.5 * k2) @ w).tanh()
        k4 = ((y + k3) @ w).tanh()
        y = y + (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0
    return y


def doubling_an_array():
    y = p(3)
    for _ in range(12):
        y = y * 1.5
    return y


LOOPS = {
    rnn_from_scratch: [7], rnn_in_a_class: [7], lstm_from_scratch: [7], cell_with_a_loss_at_each_step: [7],
    losses_in_a_list: [7], min_char: [7], looked_up_and_generated: [7], teacher_forcing: [7], attention: [6],
    two_loops: [7, 5], loops_in_a_loop: [4, 7, 7, 7, 7], both_directions: [7, 7], one_layer_again_and_again: [7],
    decaying_weight: [7], doubling_an_array: [12], answers_in_a_second_loop: [7, 7],
    answers_of_a_layer_in_a_second_loop: [7, 7], answers_in_another_order: [7], windows_cut_by_hand: [7], euler: [7],
    runge_kutta: [7],
}  # fmt: skip

# ------------------------------------------------------------------------------------------------------ without a loop


def layers_on_top():
    h = x(B, H)
    for _ in range(T):
        h = nn.Linear(H, H)(h).tanh()
    return h


def residual_blocks():
    h = x(B, H)
    for _ in range(T):
        h = h + nn.Linear(H, H)(nn.LayerNorm(H)(h)).relu()
    return h


def attention_blocks():
    h = x(B, T, H)
    for _ in range(4):
        q, k, v = (nn.Linear(H, H)(h) for _ in range(3))
        h = nn.LayerNorm(H)(h + (q @ k.swapaxes(1, 2)).softmax(-1) @ v)
    return h


def one_network_on_many_inputs():
    net = nn.Sequential(nn.Linear(I, H), nn.Tanh(), nn.Linear(H, 1))
    return sum((net(x(B, I)) for _ in range(T)), 0.0)


def siamese():
    net = nn.GRU(I, H)
    a, b, c = (net(x(2, B, I))[1] for _ in range(3))
    return (a - b) * (b - c)


def tree(depth=5):
    join = nn.Linear(2 * H, H)

    def node(depth):
        return x(B, H) if depth == 0 else join(ts.concatenate([node(depth - 1), node(depth - 1)], 1)).tanh()

    return node(depth)


def random_tree():
    join, parts = nn.Linear(2 * H, H), [x(B, H) for _ in range(12)]
    order = np.random.default_rng(1)
    while len(parts) > 1:
        a, b = (parts.pop(order.integers(len(parts))) for _ in range(2))
        parts.append(join(ts.concatenate([a, b], 1)).tanh())
    return parts[0]


def weighted_sum():
    """A neuron as micrograd writes it: its weights are many parameters, and the sum is no state."""
    act = p()
    for _ in range(12):
        act = act + p() * 0.5
    return act.tanh()


def penalties():
    return sum(((w * w).sum() for w in [p(3, 3) for _ in range(T)]), 0.0)


def step_of_an_optimizer():
    rate, weights = p(), [p(3) for _ in range(T)]
    return sum(((w - rate * (w * w)).sum() for w in weights), 0.0)


def twice_is_no_loop():
    w, u, h = p(I, H), p(H, H), ts.zeros(B, H)
    for _ in range(2):
        h = (x(B, I) @ w + h @ u).tanh()
    return h


def seven_of_one_op():
    y = p(3)
    for _ in range(7):
        y = y * 1.5
    return y


def another_weight_each_time():
    u, h = p(H, H), ts.zeros(B, H)
    for _ in range(T):
        h = (x(B, I) @ p(I, H) + h @ u).tanh()
    return h


def loss_of_two_terms():
    net, loss = nn.Linear(I, H), 0.0
    for _ in range(T):
        y = net(x(B, I)).tanh()
        loss = loss - (y * y).mean() + 0.1 * y.abs().mean()
    return loss


def product_of_likelihoods():
    net, likelihood = nn.Linear(I, H), 1.0
    for _ in range(10):
        likelihood = likelihood * net(x(B, I)).sigmoid().mean()
    return likelihood


def layers_in_one_array():
    w, h = p(T, H, H), x(B, H)
    for layer in range(T):
        h = h + 0.1 * (h @ w[layer]).tanh()
    return h


def rotations_in_one_array():
    angle, v = p(T), x(2)
    for k in range(T):
        c, s = angle[k].cos(), angle[k].sin()
        v = ts.stack([c * v[0] - s * v[1], s * v[0] + c * v[1]])
    return v


def uneven_tree():
    join = nn.Linear(2 * H, H)

    def node(depth):
        return x(B, H) if depth < 1 else join(ts.concatenate([node(depth - 1), node(depth - 3)], 1)).tanh()

    return node(7)


NOTHING = [
    loss_of_two_terms, product_of_likelihoods, layers_in_one_array, rotations_in_one_array, uneven_tree,
    layers_on_top, residual_blocks, attention_blocks, one_network_on_many_inputs, siamese, tree, random_tree,
    weighted_sum, penalties, step_of_an_optimizer, twice_is_no_loop, seven_of_one_op, another_weight_each_time,
]  # fmt: skip


@pytest.mark.parametrize("program", LOOPS, ids=lambda program: program.__name__)
def test_loops_are_found(program):
    assert sorted(found(program())) == sorted(LOOPS[program])


@pytest.mark.parametrize("program", NOTHING, ids=lambda program: program.__name__)
def test_no_loop_is_found_where_there_is_none(program):
    assert found(program()) == []


@pytest.mark.parametrize("program", LOOPS, ids=lambda program: program.__name__)
def test_every_op_stays_in_its_place(program):
    """The steps hold all ops of the program once, in order; modules stay around the ops that they made."""
    nodes = ops(program())
    plain, timeline = timeline_of(nodes, find=False), timeline_of(nodes)
    for node in nodes:
        path, old = [], []
        for visit, names in ((timeline.visit_of[node], path), (plain.visit_of[node], old)):
            while visit.outer is not None:
                names.append((visit.key, visit.text))
                visit = visit.outer
        assert [entry for entry in path if entry not in [("step", str(k)) for k in range(T + 9)]] == [
            entry for entry in old if entry[0] != "step"
        ]
    for loop in timeline.loops:
        serials = [node.serial for step in loop for node in timeline.ops_in[step]]
        assert serials == sorted(serials) or type(loop[0].value) is not FoundStep


@given(st.integers(0, 10_000))
def test_no_loop_is_found_in_the_tree_of_a_parser(seed):
    """It shifts words and joins the last two in random order, so some of its branches are chains."""
    order, w, u, words, stack = np.random.default_rng(seed), p(H, H), p(H, H), nn.Embedding(50, H), []
    read = 0
    while read < 24 or len(stack) > 1:
        if read < 24 and (len(stack) < 2 or order.random() < 0.5):
            stack.append(words([int(order.integers(50))]))
            read += 1
        else:
            right, left = stack.pop(), stack.pop()
            stack.append((left @ w + right @ u).tanh())
    assert all(length > 18 for length in found(stack[0]))  # all but a chain from end to end, as a reader has it


def test_declared_and_found_steps_of_one_number_stay_apart():
    cell, other, h = nn.RNNCell(I, H), nn.RNNCell(I, H), ts.zeros(B, H)
    for t in reversed(range(5)):
        with ts.scope(step=t):
            h = cell(x(B, I), h)
    for _ in range(6):
        h = other(x(B, I), h)
    assert [len(loop) for loop in timeline_of(ops(h)).loops] == [5, 6]


def test_declared_steps_win():
    w, u, h = p(I, H), p(H, H), ts.zeros(B, H)
    for t in range(T):
        with ts.scope(step=t):
            h = (x(B, I) @ w + h @ u).tanh()
    assert found(h) == [] and len(timeline_of(ops(h)).loops) == 1


@given(st.integers(3, 12), st.integers(0, 12), st.sampled_from(["op", "shape", "parameter", "parent"]))
def test_a_step_that_differs_ends_the_loop_or_is_drawn(length, odd, change):
    """One step has another op, shape, parameter or parent: it is in no gap of the picture."""
    w, u, h = p(H, H), p(H, H), ts.ones(B, H)
    other, earlier = p(H, H), [h, h]
    for t in range(length):
        mine = w if t != odd or change != "parameter" else other
        past = h if t != odd or change != "parent" else earlier[-2]
        h = (x(B, H) @ mine + past @ u).tanh()
        h = h if t != odd or change not in ("op", "shape") else h.sigmoid() if change == "op" else h[:1] + h[1:]
        earlier.append(h)
    view = ts.draw(h, steps=(1, 1)).view
    drawn = {item.ordinal for cluster in clusters(view.top) for item in cluster.items}
    nodes = ancestors([h.node])
    odd_nodes = [i for i, node in enumerate(nodes) if node.op is not None and is_odd(node, change, other)]
    assert drawn.issuperset(odd_nodes)


def clusters(top):
    stack = [top]
    while stack:
        cluster = stack.pop()
        yield cluster
        stack += cluster.inner


def is_odd(node, change, other):
    if change == "op":
        return node.op.name == "sigmoid"
    if change == "shape":
        return node.op.name == "getitem"
    return change == "parameter" and other.node in node.parents


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell])
def test_shares_of_found_steps_sum_to_the_gradient(cell):
    cell, h = cell(I, H), ts.zeros(B, H)
    for _ in range(T):
        h = cell(x(B, I), h)
    shares = ts.flow.itemize(h.sum(), cell.weight_hh)
    g = ts.grad(h.sum(), cell.weight_hh)
    assert shares.steps == [*range(T)] and np.allclose(shares.items.sum(0), g.numpy(), atol=1e-6)


def test_states_of_found_steps():
    cell, h = nn.GRUCell(I, H), ts.zeros(B, H)
    made = []
    for _ in range(T):
        h = cell(x(B, I), h)
        made.append(h.tolist())
    assert [state.tolist() for state in ts.flow.states(h)] == made


def test_a_budget_ends_the_search(monkeypatch):
    from tinygrad_seq.engine import found_steps

    monkeypatch.setattr(found_steps, "work_per_op", -1000)
    assert found(rnn_from_scratch()) == []


def test_an_op_after_the_loop_that_only_looks_like_its_next_step_is_no_step():
    w, h = p(H, H), ts.ones(B, H)
    for _ in range(T):
        h = (h @ w).tanh()
    other = x(B, H) @ w
    loss = h.sum() + other.sum()
    (loop,) = timeline_of(ops(loss)).loops
    assert len(loop) == T
