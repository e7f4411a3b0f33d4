"""Loops over time are found in programs that declare no steps, and nothing is found where there is no loop.

A program is written as people write it. What it should find is the lengths of its loops, inner ones after the one they
are in; a wrong find is worse than none.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs_with_loops import LOOPS, B, H, I, T, learned_first_state, p, rnn_from_scratch, x
from programs_without_loops import NOTHING

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.found_steps import timeline_of
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.timeline import FoundStep


def ops(output):
    return [node for node in ancestors([output.node]) if node.op is not None]


def found(output):
    return [len(loop) for loop in timeline_of(ops(output)).loops if type(loop[0].value) is FoundStep]


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


@pytest.mark.parametrize("steps, gates, turned", [(3, 1, 0), (4, 1, 1), (4, 3, 0), (4, 5, 0), (9, 2, 1)])
def test_a_first_state_that_is_learned_is_read_by_a_step_as_any_other(steps, gates, turned):
    h = learned_first_state(steps, gates, turned)
    assert len(ts.flow.states(h)) == steps == len(timeline_of(ops(h)).loops[0])


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
