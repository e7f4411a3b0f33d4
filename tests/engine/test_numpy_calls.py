"""NumPy and Tensors: an array's operators are ours, and no function of NumPy takes a gradient away in silence.

A Tensor whose gradient is being recorded is refused, by a sentence that names the function which keeps the gradient;
detached, under `no_grad` and where no gradient is wanted, NumPy gets the array.
"""

import operator
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from laws import assert_same
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.functions.numpy_calls import OPERATORS, SPELLED

MASK = np.array([[True, False], [False, True]])

MASKED = {"bitwise_and", "bitwise_or"}
UNMASKED = sorted(OPERATORS.keys() - MASKED)


def leaf(values):
    return ts.tensor(np.array(values), device="cpu", requires_grad=True)


def filled(x, index=slice(None), shape=(2, 2)):
    array = np.zeros(shape)
    array[index] = x
    return array


CALLS = {  # by NumPy's name: what is done with a Tensor (2, 2)
    "where": lambda x: np.where(MASK, x, 0),
    "dot": lambda x: np.dot(x, x),
    "concatenate": lambda x: np.concatenate([x, x]),
    "stack": lambda x: np.stack((x, x)),
    "vstack": lambda x: np.vstack([x, x]),
    "append": lambda x: np.append([1.0], x),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, x),
    "clip": lambda x: np.clip(x, 0, 1),
    "tanh": np.tanh,
    "abs": np.abs,
    "norm": np.linalg.norm,
    "sum": np.sum,
    "mean": lambda x: np.mean(x, axis=0),
    "max": np.max,
    "argmax": np.argmax,
    "reshape": lambda x: np.reshape(x, (4, 1)),
    "squeeze": np.squeeze,
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "multiply": lambda x: np.multiply(x, 2.0),
    "maximum": lambda x: np.maximum(1.0, x),
    "add": lambda x: np.add.reduce(x),
    "subtract": lambda x: np.subtract(MASK, x, out=np.zeros((2, 2))),
}
OTHERS = [  # what has no function of ours: how the sentence begins, and what is done
    (r"np\.linalg\.det", np.linalg.det),
    (r"np\.copyto", lambda x: np.full_like(np.zeros((2, 2)), x)),
    ("NumPy array", np.asarray),
    ("NumPy array", lambda x: np.array([x, x])),
    ("NumPy array", lambda x: np.array([[x[0, 0], x[1, 0]]])),
    ("NumPy array", filled),
    ("NumPy array", lambda x: filled(x[0], 1)),
    ("NumPy array", lambda x: np.full((2, 2), x)),
    ("NumPy array", lambda x: np.ones(2).dot(x)),
    ("exp: .*NumPy array", lambda x: np.asarray(ts.exp([x[0], x[1]]))),
    ("add", lambda x: ts.add(leaf([1.0, 2.0]), [x[0], x[1]]).numpy()),
    ("matmul: .*NumPy array", lambda x: ([[x[0, 0], x[1, 1]]] @ leaf([[1.0], [2.0]])).numpy()),
    ("tensor", lambda x: ts.tensor([x, x], dtype="float64").numpy()),
    ("Parameter", lambda x: nn.Parameter([x[0]], dtype="float64").numpy()),
    ("mse_loss: targets", lambda x: nn.mse_loss(leaf(np.zeros((2, 2))), [x[0], x[1]]).numpy()),
    ("windows", lambda x: ts.data.windows(x, 1)[0]),
]


HINTED = [  # what docs/names.md has a hint for: the hint, or x.numpy() where no gradient goes through it
    (r"np\.cumsum", r"a loop of sums, and ts\.stack", np.cumsum),
    (r"np\.square", r"x \* x", np.square),
    (r"np\.copy", "x itself, .*", np.copy),
    *[(rf"np\.{call.__name__}", r"x\.numpy\(\)", call) for call in (np.isnan, np.sign, np.floor, np.argsort)],
    *[(rf"np\.{call.__name__}", r"x\.numpy\(\)", lambda x, f=call: f(x, x)) for call in (np.allclose, np.isclose)],
]


KEPT = r"ts\.stack, ts\.concatenate or ts\.where|slices of the Tensor"
LOOKED_AT = rf"x\.numpy\(\) to look at it, ({KEPT}) to go on"


@pytest.mark.parametrize("place, kept, call", [
    *[pytest.param(r"np\.[\w.]+", rf"ts\.{SPELLED[name]}", call, id=name) for name, call in CALLS.items()],
    *[(place, LOOKED_AT if "NumPy array" in place else KEPT, call) for place, call in OTHERS],
    *HINTED,
])  # fmt: skip
def test_a_recorded_tensor_is_refused_and_any_other_is_an_array(place, kept, call):
    w = leaf([[1.0, -2.0], [0.5, 3.0]])
    result, array = w * 2.0, w.numpy() * 2.0
    expected = np.asarray(call(array))
    for recorded in (result, leaf(array)):
        with pytest.raises(TypeError, match=rf"^{place}: .*use ({kept}), or \.detach\(\)") as caught:
            call(recorded)
        assert type(caught.value) is TypeError
        with ts.no_grad():
            assert_same([np.asarray(call(recorded))], [expected])
    for free in (result.detach(), ts.tensor(array, device="cpu")):
        found = call(free)
        assert not isinstance(found, ts.Tensor)
        assert_same([np.asarray(found)], [expected])
    result.sum().backward()
    assert w.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_a_result_is_not_made_a_leaf_in_silence():
    w = leaf([1.0, 2.0])
    for make in (ts.tensor, nn.Parameter):
        with pytest.raises(TypeError, match=rf"^{make.__name__}: .*the Tensor itself, or \.detach\(\)"):
            make(w * 2.0)
        assert make((w * 2.0).detach()).tolist() == [2.0, 4.0]
        assert make(w).tolist() == [1.0, 2.0]


def test_what_asks_for_no_gradient_or_says_that_it_leaves_goes_on():
    x = leaf([[1.0, -2.0]]) * 2.0
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((1, 2), 2, 2)
    for made in (np.zeros_like(x), np.ones_like(x), np.empty_like(x), np.full_like(x, 7.0)):
        assert type(made) is np.ndarray and made.shape == (1, 2) and made.dtype == x.dtype
    with pytest.raises(TypeError, match="detach"):
        np.full_like(x, x)
    assert float(x[0, 0]) == x[0, 0].item() == 2.0
    assert x.tolist() == x.numpy().tolist() == [[2.0, -4.0]]
    with ts.detect_anomaly(), pytest.raises(TypeError, match="detach"):
        np.asarray(x)


def test_the_sentences_name_functions_that_there_are():
    for numpys, ours in SPELLED.items():
        assert callable(getattr(np, numpys, None) or getattr(np.linalg, numpys)) and callable(getattr(ts, ours))
    functions = {name for name in dir(ts) if callable(getattr(ts, name)) and not name.startswith("_")}
    creation = {"zeros", "ones", "zeros_like", "ones_like", "full", "arange", "eye", "load", "save", "diff"}
    dtypes = {"float32", "float64", "int32", "int64", "bool_"}
    same = {name for name in functions if hasattr(np, name)} - creation - dtypes
    assert same - {"pow", "unstack"} <= SPELLED.keys()  # aliases


@given(seed=seeds, shape=npst.array_shapes(min_dims=0, max_dims=2), name=st.sampled_from(UNMASKED))
def test_the_operators_of_arrays_and_numpys_numbers_are_ours(seed, shape, name):
    random = np.random.default_rng(seed)
    array = random.uniform(0.5, 2.0, shape)
    if name == "matmul":
        array = random.uniform(0.5, 2.0, (2, 2))
    of = getattr(operator, {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "power": "pow",
                            "floor_divide": "floordiv", "remainder": "mod",
                            "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
                            "greater_equal": "ge", "matmul": "matmul"}[name])  # fmt: skip
    x = leaf(random.uniform(0.5, 2.0, array.shape))
    x.requires_grad = smooth = name != "floor_divide"
    numbers = [] if name == "matmul" else [np.float64(1.5), np.float32(2.0), np.int64(2), np.array(1.5)]
    for left in (array, *numbers):
        result = of(left, x)
        assert isinstance(result, ts.Tensor) and result.dtype == of(left, x.numpy()).dtype
        assert_same([result.numpy()], [np.asarray(of(left, x.numpy()))])
        assert result.requires_grad == (smooth and result.dtype.kind == "f")


@pytest.mark.parametrize("of", [operator.and_, operator.or_])
def test_a_mask_beside_an_array_is_a_tensor(of):
    array, mask = np.array([True, True, False]), ts.tensor([True, False, False], device="cpu")
    for left, right in ((array, mask), (mask, array), (np.True_, mask), (mask, True)):
        result = of(left, right)
        assert isinstance(result, ts.Tensor) and result.tolist() == of(np.asarray(left), np.asarray(right)).tolist()


@pytest.mark.parametrize("context", [nullcontext, ts.no_grad])
def test_an_array_is_not_changed_by_a_tensor_in_silence(context):
    array, w = np.ones(2), leaf([1.0, 2.0])
    with pytest.raises(TypeError, match="detach") if context is nullcontext else ts.no_grad():
        array -= w * 0.5
    expected = [1.0, 1.0] if context is nullcontext else [0.5, 0.0]
    assert type(array) is np.ndarray and array.tolist() == expected
