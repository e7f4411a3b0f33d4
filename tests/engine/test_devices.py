"""One table, two backends: every op on a GPU gives what it gives on the CPU, forward and gradient, and stays there.

The GPU is the strict double of CuPy, and (tests marked `gpu`) a real one where there is one. To rounding, since a
device adds scattered values in any order. Nothing is copied from the device on the way, and nothing to it but index
arrays; only ops that must refuse wrong ids look at them. Arguments on two devices are one TypeError that names both.
"""


import numpy as np
import pytest
from draws import generators
from hypothesis import given
from hypothesis import strategies as st
from laws import as_list, assert_near, host, leaves, like, wanted
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


@pytest.mark.parametrize("row", TABLE, ids=str)
@given(data=st.data())
def test_a_device_agrees_with_the_host(gpu, row, data):
    case, rng = data.draw(row.cases), data.draw(generators)
    here, _ = on("cpu", row, case)
    upstream = like(rng, host(here)) if row.smooth else None
    for place, there in zip(on("cpu", row, case, upstream), on("cuda", row, case, upstream), strict=True):
        assert {tensor.device for tensor in there} <= {"cuda:0"}
        assert [tensor.dtype for tensor in there] == [tensor.dtype for tensor in place]
        assert_near(host(there), host(place))


@pytest.mark.parametrize("row", TABLE, ids=str)
@given(data=st.data())
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


@pytest.mark.parametrize("row", [row for row in TABLE if row.name in SEVERAL], ids=str)
@given(data=st.data())
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


def test_index_arrays_from_the_host_are_taken(gpu):
    x = ts.tensor(np.arange(6.0).reshape(3, 2), device="cuda", requires_grad=True)
    on_both = ts.tensor([2, 0, 2]), ts.tensor([2, 0, 2], device="cuda")
    for index in (np.array([2, 0, 2]), [2, 0, 2], *on_both, (np.array([-1, 0, 2]),)):
        x.grad = None
        x[index].sum().backward()
        assert x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]
    for ids in (np.array([2, 0, 2]), [2, 0, 2], ts.tensor([2, 0, 2], device="cuda")):
        assert ts.take(x, ids).tolist() == [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]


def test_gradients_arrive_on_the_leafs_device_and_foreign_ones_are_refused(gpu):
    x = ts.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = x * 2.0
    with pytest.raises(ValueError, match=r"cuda:0.*cpu|cpu.*cuda:0"):
        y.backward(ts.tensor([1.0, 1.0], device="cpu"))
    assert x.grad is None
    with pytest.raises(ValueError, match="cuda:0"):
        x.grad = ts.tensor([1.0, 1.0], device="cpu")
    y.backward(ts.tensor([1.0, 1.0], device="cuda"))
    assert x.grad.device == "cuda:0"


def test_what_does_not_exist_is_said(gpu):
    with pytest.raises(RuntimeError, match="cuda:7"):
        ts.tensor([1.0], device="cuda:7")
    with pytest.raises(ValueError, match="tpu"):
        ts.tensor([1.0], device="tpu")


