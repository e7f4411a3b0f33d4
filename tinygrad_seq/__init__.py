"""tinygrad_seq: reverse-mode autograd for recurrent networks, where the recorded graph is the product.

Ops record a graph of nodes; four readers share it. `backward` and `grad` run the rules, `draw` makes a picture, `flow`
tells what came from which step, `replay` runs it all as a program over arrays.
The table of contents, from the outside in; `import tinygrad_seq as ts`.
"""

from typing import TYPE_CHECKING

from tinygrad_seq import data, flow, nn, optim
from tinygrad_seq.checks.anomaly import detect_anomaly
from tinygrad_seq.checks.devices import compare_devices
from tinygrad_seq.checks.gradcheck import gradcheck, gradgradcheck
from tinygrad_seq.drawing import Drawing, diff, draw
from tinygrad_seq.engine import cuda
from tinygrad_seq.engine.backend import bool_, float32, float64, int32, int64
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.checkpoint import checkpoint
from tinygrad_seq.engine.creation import arange, eye, full, ones, ones_like, tensor, zeros, zeros_like
from tinygrad_seq.engine.device import device
from tinygrad_seq.engine.functions.arithmetic import clip, matmul
from tinygrad_seq.engine.functions.einsum import einsum
from tinygrad_seq.engine.functions.reductions import (
    argmax,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    softmax,
    sum,
    var,
)
from tinygrad_seq.engine.functions.selection import one_hot, take
from tinygrad_seq.engine.functions.shapes import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    unstack,
)
from tinygrad_seq.engine.hints import refusing as _refusing
from tinygrad_seq.engine.ops.elementwise import (
    abs,
    add,
    cos,
    divide,
    exp,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sin,
    sqrt,
    subtract,
    tanh,
    where,
)
from tinygrad_seq.engine.primitive import primitive
from tinygrad_seq.engine.random import get_rng_state, manual_seed, rand, randn, set_rng_state
from tinygrad_seq.engine.scope import no_grad, scope
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.truncated import truncated
from tinygrad_seq.replay.replay import replay
from tinygrad_seq.saving.archive import load, save

cat, unbind, permute, view = concatenate, unstack, transpose, reshape  # PyTorch's names
sub, mul, div, neg, pow = subtract, multiply, divide, negative, power

__version__ = "0.2.0"
__all__ = [  # what a type checker may take from here, and `import *`
    "Drawing", "Tensor", "abs", "add", "arange", "argmax", "bool_", "broadcast_to", "cat", "checkpoint", "clip",
    "compare_devices", "concatenate", "cos", "cuda", "data", "detect_anomaly", "device", "diff", "div", "divide",
    "draw", "einsum", "exp", "expand_dims", "eye", "flip", "float32", "float64", "flow", "full", "get_rng_state",
    "grad", "gradcheck", "gradgradcheck", "int32", "int64", "load", "log", "log_softmax", "logsumexp",
    "manual_seed", "matmul", "max", "maximum", "mean", "min", "minimum", "mul", "multiply", "neg", "negative", "nn",
    "no_grad", "norm", "one_hot", "ones", "ones_like", "optim", "pad", "permute", "pow", "power", "primitive",
    "rand", "randn", "relu", "replay", "reshape", "save", "scope", "set_rng_state", "sigmoid", "sin", "softmax",
    "split", "sqrt", "squeeze", "stack", "sub", "subtract", "sum", "swapaxes", "take", "tanh", "tensor",
    "transpose", "truncated", "unbind", "unstack", "var", "view", "where", "zeros", "zeros_like",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker would take it that every name exists
    __getattr__ = _refusing(__name__)
