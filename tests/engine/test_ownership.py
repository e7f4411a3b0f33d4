"""Whose memory it is: a value never changes under the graph, a gradient belongs to its leaf, a dropped graph is gone.

What the caller does to an array after handing it over changes nothing; gradients share memory with nothing; and the
memory goes by reference count, with the garbage collector off.
"""

import contextlib
import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from laws import shares_memory

import tinygrad_seq as ts
from tinygrad_seq.engine.graph import Detached, Node


def leaf(*values, device=None):
    return ts.tensor(np.array(values), device=device, requires_grad=True)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def watched(tensor):
    return weakref.ref(tensor.array)


def walked(loss, x):
    loss.sum().backward()


def walked_twice(loss, x):
    ts.grad(ts.grad(loss.sum(), x, create_graph=True).sum(), x)


def recorded(loss, x):
    loss.sum().backward(create_graph=True)
    x.grad = None


def refused(loss, x):
    with contextlib.suppress(ValueError):
        loss @ ts.tensor(np.ones((7, 7)))


def watched_by_hooks(loss, x):
    loss.retain_grad()
    loss.register_hook(lambda g: g * 2.0)
    loss.sum().backward()


@pytest.mark.parametrize("use", [lambda loss, x: None, walked, walked_twice, recorded, refused, watched_by_hooks])
@pytest.mark.parametrize("make", [
    lambda x: ts.tanh(x * x), lambda x: ts.stack(ts.unstack(x * 2.0)) * x, lambda x: (x * x)[1:] * x[0],
])
def test_a_dropped_graph_dies_at_once(no_collector, make, use):
    x = leaf(1.0, 2.0, 3.0)
    loss = make(x)
    held = watched(loss)
    use(loss, x)
    assert held() is not None
    del loss
    assert held() is None


def states_of_another_name(lstm, out, loss, folder):
    with contextlib.suppress(ValueError):
        ts.flow.states(out, "z")


READERS = {
    "backward": lambda lstm, out, loss, folder: loss.backward(),
    "create_graph": lambda lstm, out, loss, folder: ts.grad(loss, lstm.weight_hh_l0, create_graph=True),
    "states": lambda lstm, out, loss, folder: ts.flow.states(out),
    "states refused": states_of_another_name,
    "itemize": lambda lstm, out, loss, folder: repr(ts.flow.itemize(loss, lstm.weight_hh_l0)),
    "influence": lambda lstm, out, loss, folder: ts.flow.influence(loss, ts.flow.states(out)).nodes,
    "record": lambda lstm, out, loss, folder: ts.flow.record(loss).replay(),
    "derivation": lambda lstm, out, loss, folder: ts.flow.derivation(ts.nn.RNN(1, 1), [[0.5], [0.3]]),
    "Monitor": lambda lstm, out, loss, folder: ts.flow.Monitor(lstm).backward(loss),
    "draw": lambda lstm, out, loss, folder: ts.draw(loss),
    "draw rolled": lambda lstm, out, loss, folder: ts.draw(loss, view="rolled", params="shared"),
    "draw gradient": lambda lstm, out, loss, folder: (loss.backward(retain_graph=True), ts.draw(loss, show="gradient")),
    "svg": lambda lstm, out, loss, folder: ts.draw(loss).svg,
    "dot": lambda lstm, out, loss, folder: ts.draw(loss).dot,
    "json": lambda lstm, out, loss, folder: ts.draw(loss, depth=1).json,
    "html": lambda lstm, out, loss, folder: ts.draw(loss).html,
    "save": lambda lstm, out, loss, folder: ts.draw(loss).save(folder / "x.html"),
    "diff": lambda lstm, out, loss, folder: repr(ts.diff(ts.draw(out), ts.draw(loss))),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_reader_keeps_nothing_of_a_graph(no_collector, tmp_path, reader):
    """Not even in a cycle of references, which would keep it until the collector comes by."""
    nodes = lambda: sum(type(each) in (Node, Detached) for each in gc.get_objects())
    before = nodes()
    lstm = ts.nn.LSTM(2, 3)
    out = lstm(ts.tensor(np.ones((4, 1, 2), "float32")))[0]
    loss = (out * out.detach()).sum()
    held = watched(out)
    assert nodes() > before + 50
    reader(lstm, out, loss, tmp_path)
    del lstm, out, loss
    assert (nodes(), held()) == (before, None)


def test_a_leaf_that_holds_its_recorded_gradient_is_no_cycle(no_collector):
    x = leaf(1.0, 2.0)
    (x * x * x).sum().backward(create_graph=True)
    held = watched(x), watched(x.grad)
    del x
    assert [array() for array in held] == [None, None]


def trained(model, optimizer, ids):
    out, _ = model.layer(model.table(ids))
    loss = (out * out).mean()
    slope = ts.grad(loss, model.layer.weight_hh_l0, create_graph=True)
    optimizer.zero_grad()
    (loss + (slope * slope).sum()).backward()
    ts.optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@pytest.mark.parametrize("layer", [ts.nn.RNN, ts.nn.LSTM, ts.nn.GRU])
def test_a_training_loop_does_not_grow(no_collector, layer):
    """With the collector off there are as many objects after every step; and as many bytes, when it has been asked,
    found nothing, and emptied Python's lists of free objects."""
    model = ts.nn.Module()
    model.table, model.layer = ts.nn.Embedding(5, 3), layer(3, 4)
    optimizer = ts.optim.Adam(model.parameters(), lr=0.01)
    ids = ts.tensor(np.arange(12).reshape(6, 2) % 5)
    for _ in range(3):  # what is made once and kept
        trained(model, optimizer, ids)
    tracemalloc.start()
    try:
        objects, sizes = [], []
        for _ in range(20):
            trained(model, optimizer, ids)
            objects.append(len(gc.get_objects()))
        for _ in range(4):
            trained(model, optimizer, ids)
            assert gc.collect() == 0
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(objects[5:]) - objects[4] <= 4, objects
    assert sizes[-1] - sizes[1] < 1024, sizes  # the smallest of the gradients is 64 bytes, a graph 100 kB


def test_backward_lets_go_of_what_was_saved(no_collector):
    x = leaf(1.0, 2.0)
    h = ts.tanh(x)
    held = watched(h)
    loss = (h * h).sum()
    del h
    assert held() is not None
    loss.backward()
    assert held() is None


def test_what_no_rule_needs_is_not_kept(no_collector):
    x = leaf(1.0, 2.0)
    h = x * 2.0
    held, loss = watched(h), (h + 1.0).sum()
    del h
    assert held() is None
    loss.backward()
    assert x.grad.tolist() == [2.0, 2.0]


PASSING_ON = {  # ops whose rules may hand on what they are given
    "add": lambda x, y: x + y,
    "reshape": lambda x, y: x.reshape(2, 2) + y.reshape(2, 2),
    "stack": lambda x, y: ts.stack([x, y]),
    "concatenate": lambda x, y: ts.concatenate([x, y]),
    "add twice": lambda x, y: x + y + x,
    "broadcast": lambda x, y: x[:, None] + y,
    "view": lambda x, y: (x.T + y.T)[::-1],
}


@pytest.mark.parametrize("create_graph", [False, True], ids=["raw", "recorded"])
@pytest.mark.parametrize("use", PASSING_ON)
def test_gradients_share_memory_with_nothing(use, create_graph):
    x, y = leaf(1.0, 2.0, 3.0, 4.0), leaf(5.0, 6.0, 7.0, 8.0)
    output = PASSING_ON[use](x, y)
    given = np.ones(output.shape)
    output.backward(given, create_graph=create_graph)
    owned = [x.grad.array, y.grad.array, given, x.array, y.array]
    assert not any(shares_memory(a, b) for i, a in enumerate(owned) for b in owned[:i])
    assert all(getattr(gradient.flags, "writeable", True) and 0 not in gradient.strides for gradient in owned[:2])


@pytest.mark.parametrize("create_graph", [False, True])
def test_returned_gradients_share_memory_with_nothing(create_graph):
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = ts.tensor(np.ones(2))
    first, second = ts.grad(x + y, [x, y], given, create_graph=create_graph)
    assert not shares_memory(first.array, second.array)
    assert not shares_memory(first.array, given.array)


def test_adding_to_a_gradient_leaves_the_old_one_alone():
    x = leaf(1.0)
    (x * 2.0).backward()
    first = x.grad
    (x * 3.0).backward()
    assert (first.item(), x.grad.item()) == (2.0, 5.0)


def test_a_new_tensor_is_a_copy():
    array = np.ones(2)
    x = ts.tensor(array)
    array[:] = 7.0
    assert x.tolist() == [1.0, 1.0]
    assert not shares_memory(ts.tensor(x).array, x.array)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("use, given, after", [
    (lambda x, a: x * a, np.array([2.0, 3.0]), [2.0, 3.0]),
    (lambda x, a: a * x, np.array([2.0, 3.0]), [2.0, 3.0]),
    (lambda x, a: x * a, np.array(2.0), [2.0, 2.0]),
    (lambda x, a: ts.where(a, x * 2.0, x), np.array([True, False]), [2.0, 1.0]),
    (lambda x, a: x[a], np.array([1, 1]), [0.0, 2.0]),
    (lambda x, a: x[a], [1, 1], [0.0, 2.0]),
    (lambda x, a: x[a], np.array([True, False]), [1.0, 0.0]),
    (lambda x, a: x[(slice(None), None)][a, 0], np.array([1, 1]), [0.0, 2.0]),
    (lambda x, a: ts.take(x, a), np.array([1, 1]), [0.0, 2.0]),
    (lambda x, a: ts.split(x, a)[0] * 3.0, [1, 1], [3.0, 0.0]),
    (lambda x, a: ts.stack([x, a]) * 2.0, np.array([2.0, 3.0]), [2.0, 2.0]),
    (lambda x, a: ts.matmul(x, a), np.array([[2.0], [3.0]]), [2.0, 3.0]),
    (lambda x, a: ts.pad(x, a)[0] + ts.pad(x, a)[1], [1, 1], [1.0, 0.0]),
    (lambda x, a: x[a:], np.array(1), [0.0, 1.0]),
    (lambda x, a: x[:a], np.array(1), [1.0, 0.0]),
    (lambda x, a: x[::a], np.array(2), [1.0, 0.0]),
    (lambda x, a: x[None, ..., a : a + 1], np.array(1), [0.0, 1.0]),
    (lambda x, a: x[a], np.array(1), [0.0, 1.0]),
    (lambda x, a: ts.reshape(x, a)[0], [2, 1], [1.0, 0.0]),
    (lambda x, a: ts.broadcast_to(x, a)[0], [1, 2], [1.0, 1.0]),
    (lambda x, a: ts.transpose(x[None], a)[1], [1, 0], [0.0, 1.0]),
    (lambda x, a: ts.sum(x[None], a), [0, 1], [1.0, 1.0]),
    (lambda x, a: ts.flip(x, a)[0], [0], [0.0, 1.0]),
    (lambda x, a: ts.clip(x, a), np.array(1.5), [0.0, 1.0]),
    (lambda x, a: x**a, np.array(2.0), [2.0, 4.0]),
])
def test_what_is_changed_between_forward_and_backward_changes_nothing(use, given, after, create_graph):
    given = given.copy()
    x = leaf(1.0, 2.0, device="cpu")
    output = use(x, given).sum()
    if isinstance(given, list):
        given[:] = [0, 0]
    else:
        given[...] = 0
    output.backward(create_graph=create_graph)
    assert x.grad.tolist() == after


def test_the_callers_gradient_may_change_after_a_recorded_backward():
    x, given = leaf(2.0, 3.0), np.array([1.0, 10.0])
    first = ts.grad(x * x, x, given, create_graph=True)
    given[:] = 0.0
    assert first.tolist() == [4.0, 60.0]
    assert ts.grad(first.sum(), x).tolist() == [2.0, 20.0]


def test_the_host_view_is_read_only():
    x = leaf(1.0, 2.0, device="cpu")
    for view in (x.numpy(), np.asarray(x.detach()), (x * 2.0).numpy()):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5.0
    copy = np.array(x.detach())
    copy[0] = 5.0
    assert x.tolist() == [1.0, 2.0]


def test_no_operator_works_in_place():
    x = y = leaf(1.0, 2.0)
    y += 1.0
    y *= 2.0
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0], [4.0, 6.0])
    with pytest.raises(TypeError, match=r"ts\.where|ts\.concatenate"):
        x[0] = 5.0
