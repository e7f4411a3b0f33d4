"""Every public function, with every argument replaced by nonsense: it works, or says what is wrong in a sentence.

A sentence is a ValueError, TypeError, IndexError or RuntimeError that names the function as the user called it.
"""

import warnings

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn

NONSENSE = {
    "None": None, "a string": "wrong", "no string": "", "bytes": b"x", "a fraction": 3.7, "-1": -1, "0": 0, "-7": -7,
    "huge": 10**30, "-huge": -(10**30), "large": 10**13, "nan": float("nan"), "inf": float("inf"), "True": True, "no list": [], "ragged": [[1], [2, 3]],
    "a dict": {}, "an object": object(), "numpy int": np.int64(-5), "numpy nan": np.float64("nan"), "numpy bool": np.True_,
    "no array": np.array([]), "strings": np.array(["a"]), "complex": 1j, "a pair": (1, -1), "pairs": [(0, 1, 2)],
    "a function": lambda: 0, "a module": ts, "a Tensor": ts.zeros(0), "ints": ts.tensor([7, -7]), "a set": {1},
    "a Module": nn.Linear(2, 2), "a dtype": np.dtype("int8"), "a type": float,
}  # fmt: skip


def x(*shape, dtype="float32", grad=True):
    return ts.tensor(np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape), dtype=dtype, requires_grad=grad)


def fed(module, *args):
    return lambda **given: module(*[given.get(f"argument {i}", a) for i, a in enumerate(args)])
CALLS = {}


def call(name, function, *args, **options):
    """A call that works; each of its arguments, by position or by name, is replaced in turn."""
    CALLS[name] = (function, args, options)


for name in ["exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "negative", "neg"]:
    call(name, getattr(ts, name), x(2, 3))
for name in ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "matmul", "sub", "mul", "div", "pow"]:
    call(name, getattr(ts, name), x(2, 2), x(2, 2))
call("where", ts.where, x(2) > 0.5, x(2), x(2))
call("clip", ts.clip, x(2), low=0.0, high=1.0)
for name in ["sum", "mean", "var", "max", "min", "logsumexp", "norm"]:
    call(name, getattr(ts, name), x(2, 3), axis=0, keepdims=True)
call("var", ts.var, x(2, 3), 0, True, correction=1)
call("norm", ts.norm, x(2, 3), ord=2, axis=0, keepdims=True)
for name in ["argmax", "softmax", "log_softmax"]:
    call(name, getattr(ts, name), x(2, 3), axis=0)
call("reshape", ts.reshape, x(2, 3), 3, 2)
call("view", ts.view, x(2, 3), (3, 2))
call("transpose", ts.transpose, x(2, 3), 1, 0)
call("permute", ts.permute, x(2, 3), (1, 0))
call("swapaxes", ts.swapaxes, x(2, 3), 0, 1)
call("expand_dims", ts.expand_dims, x(2, 3), axis=1)
call("squeeze", ts.squeeze, x(1, 3), axis=0)
call("broadcast_to", ts.broadcast_to, x(1, 3), 2, 3)
call("flip", ts.flip, x(2, 3), axis=0)
call("pad", ts.pad, x(2), widths=(1, 2), value=0.0)
for name in ["concatenate", "stack", "cat"]:
    call(name, getattr(ts, name), [x(2, 3), x(2, 3)], axis=0)
call("split", ts.split, x(4, 3), 2, axis=0)
call("unstack", ts.unstack, x(2, 3), axis=0)
call("unbind", ts.unbind, x(2, 3), axis=0)
call("take", ts.take, x(4, 3), [0, 1])
call("one_hot", ts.one_hot, [0, 1], count=3, dtype="float32")
call("einsum", ts.einsum, "ij,jk->ik", x(2, 3), x(3, 2))
call("tensor", ts.tensor, [1.0], dtype="float32", device="cpu", requires_grad=True)
for name in ["zeros", "ones"]:
    call(name, getattr(ts, name), 2, 3, dtype="float32", device="cpu", requires_grad=False)
for name in ["zeros_like", "ones_like"]:
    call(name, getattr(ts, name), x(2), dtype="float32", device="cpu", requires_grad=False)
for name in ["rand", "randn"]:
    call(name, getattr(ts, name), 2, 3, dtype="float32", device="cpu", generator=np.random.default_rng(0), requires_grad=False)
call("full", ts.full, (2,), 1.0, dtype="float32", device="cpu", requires_grad=False)
call("arange", ts.arange, 1, 5, 2, dtype="float32", device="cpu", requires_grad=False)
call("eye", ts.eye, 2, dtype="float32", device="cpu", requires_grad=False)
call("manual_seed", ts.manual_seed, 3)
call("set_rng_state", ts.set_rng_state, ts.get_rng_state())
call("grad", lambda *a, **k: ts.grad(*a, **k), x(1), x(1), grad_outputs=None, create_graph=False, retain_graph=True, allow_unused=True)
call("gradcheck", ts.gradcheck, lambda y: y * y, [x(2, dtype="float64")])
call("gradgradcheck", ts.gradgradcheck, lambda y: y * y, [x(2, dtype="float64")])
call("primitive", ts.primitive, lambda xp, y: y)
call("draw", ts.draw, x(2) * 2.0, view="unrolled", steps=(3, 1), depth=None, params="proxies", show=None, backward=False, layout="dot")
call("diff", ts.diff, ts.draw(x(2) * 2.0), ts.draw(x(2) * 2.0))
call("getitem", x(2, 3).__getitem__, 0)
call("to", x(2).to, "float64")
call("named", x(2).named, "h")
call("backward", x(1).backward, x(1, grad=False), retain_graph=True, create_graph=False)
call("register_hook", x(2).register_hook, lambda g: g)

# --------------------------------------------------------------------------------------------------------------- layers

ids = np.array([[0, 1], [2, 1]])
call("Linear", nn.Linear, 3, 4, bias=True)
call("Linear()", nn.Linear(3, 4), x(2, 3))
call("Embedding", nn.Embedding, 5, 4, padding_idx=0)
call("Embedding()", nn.Embedding(5, 4), ids)
call("OneHot", nn.OneHot, 5)
call("OneHot()", nn.OneHot(5), ids)
call("LayerNorm", nn.LayerNorm, 4, eps=1e-5, elementwise_affine=True, bias=True)
call("LayerNorm()", nn.LayerNorm(4), x(2, 4))
call("Dropout", nn.Dropout, 0.5, shared_axis=0)
call("Dropout()", nn.Dropout(0.5), x(2, 4))
call("dropout", nn.dropout, x(2, 4), p=0.5, training=True, generator=np.random.default_rng(0), shared_axis=0)
for name in ["Tanh", "Sigmoid", "ReLU"]:
    call(f"{name}()", getattr(nn, name)(), x(2, 4))
for name in ["Softmax", "LogSoftmax"]:
    call(name, getattr(nn, name), axis=-1)
for name, more in {"RNN": {"nonlinearity": "relu"}, "LSTM": {"proj_size": 2}, "GRU": {"reset_after": False}}.items():
    layer = getattr(nn, name)
    call(name, layer, 3, 4, num_layers=2, bias=True, batch_first=True, dropout=0.5, bidirectional=True, **more)
    state = (x(1, 2, 4), x(1, 2, 4)) if name == "LSTM" else x(1, 2, 4)
    call(f"{name}()", layer(3, 4), x(5, 2, 3), state, lengths=[5, 3])
    cell = getattr(nn, f"{name}Cell")
    call(f"{name}Cell", cell, 3, 4, bias=True, **({} if name == "LSTM" else more))
    call(f"{name}Cell()", cell(3, 4), x(2, 3), (x(2, 4), x(2, 4)) if name == "LSTM" else x(2, 4))
call("Recurrent", nn.Recurrent, nn.GRUCell(3, 4))
call("Recurrent()", nn.Recurrent(nn.GRUCell(3, 4)), x(5, 2, 3), x(2, 4))
call("Sequential", nn.Sequential, nn.Linear(3, 4), nn.Linear(4, 2))
call("ModuleList", nn.ModuleList, [nn.Linear(3, 4)])
call("Parameter", nn.Parameter, [1.0])
call("Buffer", nn.Buffer, x(2, grad=False))
call("from_keras", nn.from_keras, nn.GRU(3, 4), [np.zeros((3, 12)), np.zeros((4, 12)), np.zeros((2, 12))])
for name, given in {"cross_entropy": ids, "nll_loss": ids, "mse_loss": x(2, 2, 3), "binary_cross_entropy_with_logits": x(2, 2, 3)}.items():
    more = {"ignore_index": 1, "weight": [1.0, 2.0, 3.0]} if given is ids else {}
    call(name, getattr(nn, name), x(2, 2, 3), given, reduction="mean", **more)
call("cross_entropy", nn.cross_entropy, x(2, 2, 3), ids, ignore_index=1, reduction="sum", label_smoothing=0.1, weight=[1, 2, 3])
call("binary_cross_entropy_with_logits", nn.binary_cross_entropy_with_logits, x(2), x(2), reduction="sum", pos_weight=2.0)
call("to", nn.Linear(2, 2).to, "float64")
call("load_state_dict", nn.Linear(2, 2).load_state_dict, nn.Linear(2, 2).state_dict(), strict=True)
for name in ["uniform_", "normal_", "constant_", "zeros_", "ones_", "xavier_uniform_", "orthogonal_"]:
    if hasattr(nn.init, name):
        call(name, getattr(nn.init, name), nn.Parameter(np.ones((2, 2))))

ALIASES = {"view": "reshape", "permute": "transpose", "unbind": "unstack", "cat": "concatenate", "sub": "subtract",
           "mul": "multiply", "div": "divide", "pow": "power", "neg": "negative"}  # fmt: skip
ACCEPTED = (ValueError, TypeError, IndexError, RuntimeError)


def cases():
    for name, (_, args, options) in CALLS.items():
        for place in [*range(len(args)), *options]:
            yield name, place


@pytest.mark.parametrize("name, place", [*cases()])
def test_nonsense(name, place):
    function, args, options = CALLS[name]
    problems = []
    for what, value in NONSENSE.items():
        if callable(value) and callable(args[0]) and place == 0:
            continue  # a function of the user's own, whose errors are its own
        given, named = list(args), dict(options)
        (given if isinstance(place, int) else named)[place] = value
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                function(*given, **named)
        except ACCEPTED as error:
            if type(error) not in ACCEPTED or ALIASES.get(name, name.removesuffix("()")) not in str(error):
                problems.append(f"{what}: {type(error).__name__}: {error}"[:200])
        except AttributeError as error:
            if what=="a module" or "has no" not in str(error): problems.append(f"{what}: {type(error).__name__}: {error}"[:200])
        except BaseException as error:
            problems.append(f"{what}: {type(error).__name__}: {error}"[:200])
    assert not problems, "\n" + "\n".join(problems)
