"""One table, two backends: every op on a GPU gives what it gives on the CPU, forward and gradient, and stays there.

The GPU is the strict double of CuPy, and (tests marked `gpu`) a real one where there is one. To rounding, since a
device adds scattered values in any order. Nothing is copied from the device on the way, and nothing to it but index
arrays; only ops that must refuse wrong ids look at them. Arguments on two devices are one TypeError that names both.
"""

import numpy as np
import pytest
from draws import generators
from laws import as_list, assert_near, host, leaves, like, over, wanted
from op_table import ROWS

import tinygrad_seq as ts

TABLE = [row for row in ROWS if row.op != "transfer"]  # which changes the device, see below


def on(device, row, case, upstream=None):
    """The outputs and, given upstream gradients, the leaves' gradients, raw and recorded."""
    tensors = leaves(case.arrays, device=device)
    outputs = as_list(row.function(*tensors, **case.static))
    gradients = []
    if upstream is not None:
        upstream = [ts.tensor(u, device=device) for u in upstream]
        for recorded in (True, False):
            gradients += ts.grad(outputs, wanted(tensors), upstream, create_graph=recorded)
    return outputs, gradients


def compare_with_host(device, row, data):
    """Assert that an op gives on this device what it gives on the host, and that all of it stays there."""
    case, rng = data.draw(row.cases), data.draw(generators)
    here, _ = on("cpu", row, case)
    upstream = like(rng, host(here)) if row.smooth else None
    for place, there in zip(on("cpu", row, case, upstream), on(device, row, case, upstream), strict=True):
        assert {tensor.device for tensor in there} <= {device}
        assert [tensor.dtype for tensor in there] == [tensor.dtype for tensor in place]
        assert_near(host(there), host(place))


@over(TABLE, 2)
def test_a_device_agrees_with_the_host(gpu, row, data):
    compare_with_host("cuda:0", row, data)


@over(TABLE, 3)
def test_nothing_is_copied_on_the_way(gpu, row, data):
    if gpu is None:
        pytest.skip("only the double counts copies")
    case = data.draw(row.cases)
    arrays_in_index = any(np.ndim(part) for part in _parts(case.static))
    tensors = leaves(case.arrays, device="cuda")
    shapes = host(row.function(*tensors, **case.static))  # which also makes the constants that are made once
    upstream = [ts.tensor(u, device="cuda") for u in like(np.random.default_rng(0), shapes)]
    before = dict(gpu)
    outputs = as_list(row.function(*tensors, **case.static))
    if row.smooth:
        ts.grad(outputs, wanted(tensors), upstream)
    made = {kind: gpu[kind] - before.get(kind, 0) for kind in ("downloads", "uploads")}
    assert made["downloads"] == 0 or row.looks
    assert made["uploads"] == 0 or arrays_in_index


def _parts(static):
    """Everything inside the static parameters' tuples."""
    for value in static.values():
        for part in value if isinstance(value, tuple) else (value,):
            yield from part if isinstance(part, tuple) else (part,)


SEVERAL = {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "where", "x + y", "x * y", "x ** y",
           "equal", "less", "operator eq", "operator lt", "ties", "concatenate", "stack", "matmul", "operator @",
           "scatter", "take", "scatter_rows", "a recurrent step"}


@over([row for row in TABLE if row.name in SEVERAL], 3)
def test_two_devices_are_one_error(gpu, row, data):
    case = data.draw(row.cases.filter(lambda case: len(case.arrays) > 1 and all(a.ndim for a in case.arrays)))
    tensors = [ts.tensor(array, device="cuda" if i % 2 else "cpu") for i, array in enumerate(case.arrays)]
    with pytest.raises(TypeError, match=r"cpu.*cuda:0|cuda:0.*cpu"):
        row.function(*tensors, **case.static)


def test_transfer_goes_there_and_its_gradient_comes_back(gpu):
    x = ts.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    there = x.to("cuda")
    back = (there * there).to("cpu")
    assert (there.device, back.device) == ("cuda:0", "cpu")
    back.backward(np.float32([1.0, 10.0]))
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [2.0, 40.0]


def test_a_host_array_beside_a_gpu_tensor_is_refused_and_numbers_are_not(gpu):
    x = ts.tensor([1.0, 2.0], device="cuda")
    for number in (2, 2.0, np.float64(2), np.array(2.0), np.array(2)):
        assert (x * number).tolist() == [2.0, 4.0]
        assert (x * number).dtype == np.float32
    with pytest.raises(TypeError, match=r"multiply.*cuda:0"):
        x * np.ones(2)
    with pytest.raises(TypeError, match="cuda:0"):
        np.asarray(x)


def test_gradients_arrive_on_the_leafs_device_and_foreign_ones_are_refused(gpu):
    x = ts.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = x * 2.0
    with pytest.raises(TypeError, match=r"backward: the gradient is on cpu, its output on cuda:0"):
        y.backward(ts.tensor([1.0, 1.0], device="cpu"))
    assert x.grad is None
    with pytest.raises(TypeError, match="grad: the gradient is on cpu, its Tensor on cuda:0"):
        x.grad = ts.tensor([1.0, 1.0], device="cpu")
    y.backward(ts.tensor([1.0, 1.0], device="cuda"))
    assert x.grad.device == "cuda:0"


@over(TABLE, 3)
def test_every_op_works_on_a_second_gpu(gpu, row, data):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    compare_with_host("cuda:1", row, data)


def test_a_graph_may_span_devices(gpu):
    places = ["cpu", "cuda:0", "cuda:1"][:1 + ts.cuda.device_count()]
    found = []
    for chain in (["cpu"] * len(places), places, places[::-1]):
        x = ts.tensor([1.0, 2.0], device=chain[0], requires_grad=True)
        y = x * x
        for place in chain[1:]:
            y = y.to(place)
            y = y * y + x.to(place) * 3.0 + x.to(place).sum()
        y.sum().backward()
        found.append(x.grad.tolist())
        assert x.grad.device == x.device
    assert found[0] == found[1] == found[2]


def test_it_can_be_asked_whether_a_number_is_in_a_tensor(gpu):
    for device in ("cpu", f"cuda:{ts.cuda.device_count() - 1}"):
        x = ts.tensor([1.0, 2.0], device=device)
        assert 2.0 in x and x[0] in x and 3.0 not in x and None not in x and "2.0" not in x
        assert 1.0 not in ts.zeros(0, device=device)
