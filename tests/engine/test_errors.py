"""Wrong input is a ValueError, TypeError, IndexError or RuntimeError whose sentence names the op and what was wrong.

Where shapes matter, both are in it. Nothing is half done: the arguments still work afterwards.
"""

import copy
from collections import deque
from fractions import Fraction
from unittest.mock import ANY

import numpy as np
import pytest

import tinygrad_seq as ts


def zeros(*shape):
    return ts.tensor(np.zeros(shape), requires_grad=True)


SHAPES = {
    "add": lambda: zeros(2, 3) + zeros(4, 3),
    "subtract": lambda: zeros(2, 3) - zeros(4, 3),
    "multiply": lambda: zeros(2, 3) * zeros(4, 3),
    "divide": lambda: zeros(2, 3) / zeros(4, 3),
    "power": lambda: zeros(2, 3) ** zeros(4, 3),
    "maximum": lambda: ts.maximum(zeros(2, 3), zeros(4, 3)),
    "less": lambda: zeros(2, 3) < zeros(4, 3),
    "equal": lambda: zeros(2, 3) == zeros(4, 3),
    "where": lambda: ts.where(zeros(2, 3) > 0.0, zeros(2, 3), zeros(4, 3)),
    "matmul": lambda: zeros(2, 3) @ zeros(4, 3),
    "concatenate": lambda: ts.concatenate([zeros(2, 3), zeros(4, 3)], axis=1),
    "stack": lambda: ts.stack([zeros(2, 3), zeros(4, 3)]),
}


@pytest.mark.parametrize("op", SHAPES)
def test_shapes_that_do_not_fit_are_both_named(op):
    with pytest.raises(ValueError, match=rf"^{op}\b.*\(2, 3\).*\(4, 3\)"):
        SHAPES[op]()


@pytest.mark.parametrize("kind, op, says, call", [
    (ValueError, "matmul", r"\(3,\).*\(4,\)", lambda: zeros(3) @ zeros(4)),
    (ValueError, "matmul", r"\(\).*\(3,\)", lambda: zeros() @ zeros(3)),
    (ValueError, "matmul", r"\(2, 3, 4\).*\(5, 4, 3\)", lambda: zeros(2, 3, 4) @ zeros(5, 4, 3)),
    (ValueError, "reshape", r"\(2, 3\)", lambda: zeros(2, 3).reshape(4, 2)),
    (ValueError, "reshape", r"\(2, 3\)", lambda: zeros(2, 3).reshape(-1, -1)),
    (TypeError, "reshape", "1.5", lambda: zeros(2, 3).reshape(1.5)),
    (ValueError, "broadcast_to", r"\(2, 3\)", lambda: ts.broadcast_to(zeros(2, 3), 4, 3)),
    (ValueError, "transpose", "swapaxes", lambda: zeros(2, 3, 4).transpose(0, 1)),
    (ValueError, "transpose", "permutation", lambda: zeros(2, 3).transpose(0, 0)),
    (IndexError, "transpose", "axis 2", lambda: zeros(2, 3).transpose(0, 2)),
    (IndexError, "swapaxes", "axis 5", lambda: zeros(2, 3).swapaxes(0, 5)),
    (IndexError, "expand_dims", "axis 4", lambda: ts.expand_dims(zeros(2, 3), axis=4)),
    (ValueError, "squeeze", r"\(2, 3\)", lambda: ts.squeeze(zeros(2, 3), axis=0)),
    (IndexError, "sum", "axis 2", lambda: zeros(2, 3).sum(2)),
    (IndexError, "sum", "axis -3", lambda: zeros(2, 3).sum(-3)),
    (TypeError, "sum", "'x'", lambda: zeros(2, 3).sum("x")),
    (TypeError, "mean", "1.0", lambda: zeros(2, 3).mean(axis=1.0)),
    (ValueError, "sum", r"\(0, -2\)", lambda: zeros(2, 3).sum((0, -2))),
    (ValueError, "mean", r"\(0, 3\)", lambda: zeros(0, 3).mean()),
    (ValueError, "var|mean", r"\(0, 3\)", lambda: zeros(0, 3).var()),
    (ValueError, "max", r"\(0, 3\)", lambda: zeros(0, 3).max()),
    (ValueError, "var", "correction .* 0 to 1 .* got 2", lambda: zeros(2).var(correction=2)),
    (TypeError, "var: correction", "int.*'a'", lambda: zeros(2).var(correction="a")),
    (ValueError, "reshape", r"\(-2, 3\)", lambda: zeros(2, 3).reshape(-2, 3)),
    (TypeError, "bitwise_and", "float64.*compare", lambda: zeros(2) & ts.tensor([True, False])),
    (TypeError, "bitwise_or", "float64.*compare", lambda: ts.tensor([True, False]) | zeros(2)),
    (TypeError, "reshape", r"tensor\(\[3, 2\]", lambda: zeros(2, 3).reshape(ts.tensor([3, 2]))),
    (ValueError, "pad", "2 axes", lambda: ts.pad(zeros(2, 3), [(1, 2), (3,)])),
    (ValueError, "full", "300.*int8|int8.*300", lambda: ts.full((2,), 300, dtype="int8")),
    (ValueError, "zeros", "shape", lambda: ts.zeros(10**20)),
    (ValueError, "arange", "1e[+]300", lambda: ts.arange(1e300)),
    (TypeError, "grad", "output 0.*int", lambda: ts.grad(5, zeros(2))),
    (TypeError, "grad", "output 1.*int", lambda: ts.grad([zeros(2).sum(), 3], zeros(2))),
    (TypeError, "grad", "input 0.*NoneType", lambda: ts.grad(zeros(2).sum(), None)),
    (TypeError, "grad", "2 outputs.*float", lambda: ts.grad([zeros(2).sum()] * 2, zeros(2), 1.0)),
    (TypeError, "register_hook", "function.*None", lambda: zeros(2).register_hook(None)),
    (RuntimeError, "copy", "leaves.*detach", lambda: copy.deepcopy(zeros(2) * 2.0)),
    (ValueError, "add", "does not fit into int64", lambda: ts.tensor([1]) + 2**70),
    (TypeError, "negative", "truth values.*to", lambda: -ts.tensor([True])),
    (TypeError, "sum", "expected a Tensor.*NoneType", lambda: ts.sum(None)),
    (TypeError, "exp", "expected a Tensor.*'a'", lambda: ts.exp("a")),
    (TypeError, "where", "missing.*'y'", lambda: ts.where(zeros(2) > 0.0, zeros(2))),
    (TypeError, "to", "neither a dtype nor a device", lambda: zeros(2).to(None)),
    (ValueError, "min", r"\(2, 0\)", lambda: zeros(2, 0).min(axis=1)),
    (ValueError, "argmax", r"\(0, 3\)", lambda: zeros(0, 3).argmax()),
    (ValueError, "logsumexp", r"\(0,\)", lambda: zeros(0).logsumexp()),
    (IndexError, "argmax", "axis 2", lambda: zeros(2, 3).argmax(axis=2)),
    (IndexError, "softmax", "axis 2", lambda: zeros(2, 3).softmax(2)),
    (IndexError, "log_softmax", "axis", lambda: zeros().log_softmax()),
    (ValueError, "softmax", r"\(2, 0\)", lambda: zeros(2, 0).softmax()),
    (ValueError, "log_softmax", r"\(0,\)", lambda: zeros(0).log_softmax()),
    (TypeError, "clip: low", "Tensor.*", lambda: ts.clip(zeros(2), zeros(2))),
    (TypeError, "clip: high", "maximum.*'a'", lambda: ts.clip(zeros(2), 0.0, "a")),
    (IndexError, "flip", "axis 2", lambda: ts.flip(zeros(2, 3), axis=2)),
    (ValueError, "pad", "2 axes", lambda: ts.pad(zeros(2, 3), ((1, 1), (1, 1), (1, 1)))),
    (ValueError, "pad", "negative", lambda: ts.pad(zeros(2, 3), -1)),
    (TypeError, "pad", "1.5", lambda: ts.pad(zeros(2, 3), 1.5)),
    (TypeError, "pad: value", "'a'", lambda: ts.pad(zeros(2), 1, value="a")),
    (TypeError, "concatenate", "non-empty", lambda: ts.concatenate([])),
    (TypeError, "stack", "non-empty", lambda: ts.stack([])),
    (TypeError, "stack", "Tensor", lambda: ts.stack(zeros(2))),
    (IndexError, "concatenate", "axis 2", lambda: ts.concatenate([zeros(2, 3)], axis=2)),
    (IndexError, "stack", "axis 3", lambda: ts.stack([zeros(2, 3)], axis=3)),
    (ValueError, "split", "length 3", lambda: ts.split(zeros(2, 3), [1, 1], axis=1)),
    (ValueError, "split", "negative|sum", lambda: ts.split(zeros(3), [4, -1])),
    (ValueError, "split", "positive.*0", lambda: ts.split(zeros(3), 0)),
    (TypeError, "split", "1.5", lambda: ts.split(zeros(3), 1.5)),
    (IndexError, "split", "axis 1", lambda: ts.split(zeros(3), 1, axis=1)),
    (IndexError, "unstack", "axis", lambda: ts.unstack(zeros())),
    (IndexError, "getitem", r"\(2, 3\)", lambda: zeros(2, 3)[5]),
    (IndexError, "getitem", r"\(2, 3\)", lambda: zeros(2, 3)[0, 0, 0]),
    (IndexError, "getitem", r"\(2, 3\)", lambda: zeros(2, 3)[[0, 7]]),
    (IndexError, "getitem", r"\(2, 3\)", lambda: zeros(2, 3)[np.ones(5, bool)]),
    (IndexError, "getitem", "1.5", lambda: zeros(2, 3)[1.5]),
    (IndexError, "getitem", "'a'", lambda: zeros(2, 3)["a"]),
    (IndexError, "getitem", "", lambda: zeros(2, 3)[[0.5, 1.0]]),
    (IndexError, "take", r"id 7 at position \(1,\).*3 rows", lambda: ts.take(zeros(3, 2), [0, 7])),
    (IndexError, "take", r"id -1 at position \(0, 1\)", lambda: ts.take(zeros(3, 2), [[0, -1]])),
    (TypeError, "take", "float64", lambda: ts.take(zeros(3, 2), np.array([0.0]))),
    (ValueError, "take", "no rows", lambda: ts.take(zeros(), [0])),
    (IndexError, "one_hot", "id 3.*3 rows|id 3.*3 classes", lambda: ts.one_hot([0, 3], 3)),
    (TypeError, "one_hot", "2.5", lambda: ts.one_hot([0], 2.5)),
    (ValueError, "one_hot", "-3", lambda: ts.one_hot([0], -3)),
    (TypeError, "one_hot", "complex64", lambda: ts.one_hot([0], 3, dtype="complex64")),
    (IndexError, "take", "one length", lambda: ts.take(zeros(3, 2), [[0], [1, 2]])),
    (IndexError, "getitem", "one length", lambda: zeros(3, 2)[[[0], [1, 2]]]),
    (TypeError, "zeros: shape", "1.5", lambda: ts.zeros(1.5)),
    (ValueError, "ones", "-1", lambda: ts.ones(2, -1)),
    (TypeError, "full", "2.5", lambda: ts.full(2.5, 1.0)),
    (TypeError, "full: value", "None", lambda: ts.full((2,), None)),
    (TypeError, "full: value", r"\[1.0\]", lambda: ts.full((2,), [1.0])),
    (TypeError, "arange", "stop", lambda: ts.arange()),
    (ValueError, "arange", "step", lambda: ts.arange(0, 1, 0)),
    (TypeError, "arange", "'a'", lambda: ts.arange("a")),
    (TypeError, "eye: n", "1.5", lambda: ts.eye(1.5)),
    (TypeError, "eye: n", r"\(2, 3\)", lambda: ts.eye((2, 3))),
    (ValueError, "eye", "-1", lambda: ts.eye(-1)),
    (TypeError, "randn: generator", "default_rng.*int", lambda: ts.randn(2, generator=3)),
    (ValueError, "rand", "-1", lambda: ts.rand(-1)),
    (TypeError, "manual_seed: seed", "'a'", lambda: ts.manual_seed("a")),
    (TypeError, "manual_seed: missing", "'seed'", lambda: ts.manual_seed()),
    (TypeError, "to: missing", "'target'", lambda: zeros(2).to()),
    (ValueError, "manual_seed", "-1", lambda: ts.manual_seed(-1)),
    (TypeError, "one_hot", "float", lambda: ts.one_hot([0.5], 3)),
    (TypeError, "tensor", "str", lambda: ts.tensor("abc")),
    (TypeError, "tensor", "NoneType", lambda: ts.tensor(None)),
    (ValueError, "tensor", "regular", lambda: ts.tensor([[1.0], [1.0, 2.0]])),
    (TypeError, "add", "str", lambda: zeros(2) + "abc"),
    (TypeError, "multiply", "NoneType", lambda: zeros(2) * None),
    (TypeError, "where", "NoneType", lambda: ts.where(None, zeros(2), zeros(2))),
    (ValueError, "item", r"one element.*\(2,\)", lambda: zeros(2).item()),
    (ValueError, "item", r"one element.*\(0,\)", lambda: zeros(0).item()),
    (ValueError, "bool", r"\(2,\) is neither true nor false.*any.*`is`", lambda: bool(zeros(2))),
    (ValueError, "bool", r"\(0,\)", lambda: bool(zeros(0))),
    (ValueError, "bool", "`is`", lambda: zeros(2) in [zeros(2)]),
    (TypeError, "named", "None", lambda: zeros(2).named(None)),
    (IndexError, "one_hot", "2 classes, ids go from 0 to 1", lambda: ts.one_hot([2], 2)),
    (IndexError, "one_hot", r"there are no classes \(", lambda: ts.one_hot([0], 0)),
    (ValueError, "", r"\(2,\)", lambda: float(zeros(2))),
    (TypeError, "", "integer", lambda: [1, 2][ts.tensor(1.0)]),
    (TypeError, "len", "", lambda: len(zeros())),
    (TypeError, "", "iterated", lambda: iter(zeros())),
    (TypeError, "", "int64", lambda: ts.tensor([1], requires_grad=True)),
    (TypeError, "", "complex", lambda: ts.tensor([1.0], dtype="complex64")),
    (TypeError, "tensor", "a device.*device='cuda'", lambda: ts.tensor([1.0], "cuda")),
    (TypeError, "", "nonsense", lambda: zeros(2).to("nonsense")),
    (ValueError, "", "tpu", lambda: ts.tensor([1.0], device="tpu")),
    (RuntimeError, "backward", "reduce", lambda: (zeros(2, 3) * 2.0).backward()),
    (RuntimeError, "backward", "requires_grad=True", lambda: (ts.tensor([1.0]) * 2.0).backward()),
    (ValueError, "backward", r"\(3,\).*\(2,\)", lambda: (zeros(2) * 2.0).backward(np.ones(3))),
    (TypeError, "backward", "str|ones", lambda: (zeros(2) * 2.0).backward("ones")),
    (RuntimeError, "grad", "input 1", lambda: ts.grad(zeros(2).sum(), [zeros(2), ts.tensor([1.0])], allow_unused=True)),
    (ValueError, "", "1 outputs?.* 2", lambda: ts.grad([zeros(2).sum()], zeros(2), [1.0, 1.0])),
    (RuntimeError, "retain_grad", "", lambda: ts.tensor([1.0]).retain_grad()),
    (RuntimeError, "register_hook", "", lambda: ts.tensor([1.0]).register_hook(print)),
    (RuntimeError, "requires_grad", "detach", lambda: setattr(zeros(2) * 2.0, "requires_grad", False)),
    (TypeError, "requires_grad", "True or False.*'no'", lambda: setattr(zeros(2), "requires_grad", "no")),
    (TypeError, "grad", "ndarray", lambda: setattr(zeros(2), "grad", np.ones(2))),
    (ValueError, "grad", r"\(2,\).*\(3,\)", lambda: setattr(zeros(2), "grad", zeros(3))),
    (ValueError, "grad", "float64.*float32", lambda: setattr(zeros(2), "grad", ts.tensor([1.0, 2.0]))),
])
def test_wrong_input_is_said(kind, op, says, call):
    with pytest.raises(kind, match=rf"(?s)^(?:{op})\b.*({says})" if op else says) as caught:
        call()
    assert type(caught.value) is kind


def test_nothing_is_half_done():
    x = zeros(2, 3)
    for wrong in (lambda: x @ zeros(4, 3), lambda: x + zeros(4), lambda: x[7], lambda: (x * 2.0).backward(np.ones(7))):
        with pytest.raises((ValueError, IndexError)):
            wrong()
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize("other", [None, object(), ..., {}, {1.0}, "1", b"1", float, len, ts])
def test_another_object_is_equal_to_no_tensor(other):
    """As Python compares objects; what is numbers, in whatever form, is compared element by element."""
    x = zeros(2)
    assert not x == other and x != other and not other == x and other != x  # noqa: SIM201
    assert [other, x].index(x) == 1 and x == ANY and ANY == x and not x != ANY  # noqa: SIM202, SIM300
    for numbers in (0, 0.0, False, np.float32(0), np.bool_(False), [0, 1], (0.0, 1), range(2), deque([0, 1]), x):
        assert (x == numbers).shape == (x != numbers).shape == (2,)
        assert (x == numbers).tolist()[0] is True
    with pytest.raises(TypeError, match="equal: cannot compute with Fraction"):
        x == Fraction(1, 2)  # noqa: B015


def test_an_assigned_gradient_is_kept_and_added_to():
    x = ts.tensor(np.ones(2), requires_grad=True)
    x.grad = ts.tensor(np.ones(2))
    (x * 2.0).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    x.grad = None
    assert x.grad is None


def test_a_list_that_is_too_deep_is_no_array():
    nested = []
    nested.append(nested)
    with pytest.raises(ValueError, match=r"tensor: .*regular"):
        ts.tensor(nested)


def test_a_graph_that_was_freed_is_said_by_what_was_called():
    x = zeros(2)
    y = (x * x).sum()
    y.backward()
    for op, call in (("backward", y.backward), ("grad", lambda: ts.grad(y, x))):
        with pytest.raises(RuntimeError, match=f"^{op}: the graph was freed"):
            call()


@pytest.mark.parametrize("array", [
    np.ones(2).view(np.recarray), np.ma.masked_array(np.ones(2)), np.float64(1.0), np.ones(()),
])
def test_whatever_has_a_dtype_keeps_it(array):
    assert ts.tensor(array).dtype == np.float64
