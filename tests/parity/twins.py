"""The PyTorch spelling of every row of the op table: a function of torch's tensors and the row's static arguments.

Where PyTorch has no such function, or means something else by it, the twin says the same thing in what it has.
"""

import operator

import numpy as np
from op_table import EINSUM

from parity.oracle import torch


def reversed_axes(x):
    return x.permute(tuple(reversed(range(x.ndim))))


def plain(number):
    """A NumPy scalar on the left would take the tensor for an array."""
    return np.asarray(number).item()


def over(function, **options):
    """A reduction over no axis, one, several or all. An extra axis of length one joins in: () is all to PyTorch."""

    def twin(x, axis=None, keepdims=False, **static):
        found = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        y = function(x.unsqueeze(-1), dim=(*(a % x.ndim for a in found), x.ndim), keepdim=keepdims, **options, **static)
        return y.squeeze(-1) if keepdims else y

    return twin


def numbers(shape, index):
    """Which elements of a flattened array NumPy's index picks."""
    return torch.tensor(np.arange(np.prod(shape, dtype=int)).reshape(shape)[index].copy())


def getitem(x, index):
    """Element by element: PyTorch has no negative steps, and puts an int beside index arrays elsewhere than NumPy."""
    return x.reshape(-1)[numbers(x.shape, index)]


def scatter(*pieces, shape, indices):
    total = torch.zeros(int(np.prod(shape)), dtype=pieces[0].dtype)
    for piece, index in zip(pieces, indices, strict=True):
        total = total.index_add(0, numbers(shape, index).reshape(-1), piece.reshape(-1))
    return total.reshape(shape)


def scatter_rows(rows, ids, count):
    tail = rows.shape[ids.ndim :]
    zeros = torch.zeros(count, *tail, dtype=rows.dtype)
    return zeros.index_add(0, ids.reshape(-1), rows.reshape(ids.numel(), *tail))


def pad(x, widths, value):
    """Pairs from the last axis to the first, flattened."""
    pairs = np.broadcast_to(widths or 0, (x.ndim, 2))[::-1]
    return torch.nn.functional.pad(x, pairs.ravel().tolist(), value=value)


def split(x, size_or_sizes, axis):
    return torch.split(x, size_or_sizes if isinstance(size_or_sizes, int) else list(size_or_sizes), axis)


def flip(x, axis):
    return torch.flip(x, tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,))


def ties(x, y, axis):
    here = (x == y).to(x.dtype)
    return here / here.sum(axis, keepdim=True)


ARITHMETIC = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
}  # fmt: skip

TWINS = {
    **{name: getattr(torch, name) for name in (
        "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "negative", "add", "subtract",
        "multiply", "divide", "maximum", "minimum", "where", "not_equal", "less", "less_equal", "greater",
        "greater_equal", "matmul",
    )},
    "power": torch.pow,
    "softplus": torch.nn.functional.softplus,
    "equal": torch.eq,  # torch.equal is one truth for both arrays
    "clip": lambda x, low, high: x if low is high is None else torch.clamp(x, low, high),  # it refuses two Nones
    "where number": lambda condition, x: torch.where(condition, x, -1.0),
    "operator abs": abs,
    "operator neg": operator.neg,
    "operator @": operator.matmul,
    "x // y": torch.floor_divide, "x % y": torch.remainder,
    **{f"operator {of.__name__}": of for of in (
        operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
    )},
    **{f"x {symbol} y": of for symbol, of in ARITHMETIC.items()},
    **{f"x {symbol} number": lambda x, n, of=of: of(x, plain(n)) for symbol, of in ARITHMETIC.items()},
    **{f"number {symbol} x": lambda x, n, of=of: of(plain(n), x) for symbol, of in ARITHMETIC.items()},
    "bitwise_and": torch.bitwise_and,
    "bitwise_or": torch.bitwise_or,
    "invert": torch.bitwise_not,
    "maximum number": lambda x, n: torch.maximum(x, torch.tensor(n, dtype=x.dtype)),  # it takes two tensors
    "x ** whole number": lambda x, n: x**n,

    "sum": over(torch.sum),
    "mean": over(torch.mean),
    "var": over(torch.var, correction=0),  # NumPy's default; PyTorch's is 1
    "var of a sample": over(torch.var),
    "max": over(torch.amax),
    "min": over(torch.amin),
    "max, ties": over(torch.amax),
    "argmax": lambda x, axis: torch.argmax(x, axis),
    "argmax of all": torch.argmax,
    "logsumexp": over(torch.logsumexp),
    "softmax": lambda x, axis: torch.softmax(x, axis),
    "log_softmax": lambda x, axis: torch.log_softmax(x, axis),
    **{f"norm {ord}": over(torch.linalg.vector_norm, ord=ord) for ord in (1.0, 1.5, 2, 3.0, np.inf, -np.inf)},
    "ties": ties,
    "sum_to": lambda x, shape: x.sum_to_size(shape),

    "reshape": lambda x, shape: torch.reshape(x, shape),
    "transpose": lambda x, axes: torch.permute(x, axes),  # torch.transpose exchanges two
    "transpose all": reversed_axes,
    "T": reversed_axes,  # its own T is for two axes
    "swapaxes": lambda x, a, b: torch.swapaxes(x, a, b),
    "expand_dims": lambda x, axis: torch.unsqueeze(x, axis),
    "squeeze": torch.squeeze,
    "squeeze an axis": lambda x, axis: torch.squeeze(torch.unsqueeze(x, axis), axis),
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
    "flip": flip,
    "contiguous": lambda x: reversed_axes(x).contiguous(),
    "cast": lambda x, dtype: x.to(getattr(torch, dtype)),
    "cast to double": lambda x, dtype: x.double(),
    "transfer": lambda x, device, back: x.to(device),
    "pad": pad,
    "unpad": lambda x, widths: x[1:, 2:-1],

    "concatenate": lambda *pieces, axis: torch.concatenate(pieces, axis),
    "stack": lambda *pieces, axis: torch.stack(pieces, axis),
    "split": split,
    "unstack": lambda x, axis: torch.unbind(x, axis),
    "one part of a split": lambda x, axis: torch.unbind(x, axis)[-1],
    "iteration": list,

    **{f"einsum {equation}": lambda x, y, equation=equation: torch.einsum(equation, x, y) for equation in EINSUM},
    **dict.fromkeys((f"index, {kind}" for kind in ("basic", "gather", "mask", "empty list")), getitem),
    **dict.fromkeys((f"x[{kind}]" for kind in ("basic", "gather", "mask", "empty list")), getitem),
    "scatter": scatter,
    "take": lambda x, ids: x[ids],  # torch.take flattens
    "take, twice": lambda x, ids: [x[ids], x[ids[:1]]],
    "scatter_rows": scatter_rows,
    "one_hot": lambda ids, count: torch.nn.functional.one_hot(ids, count).to(torch.float32),  # it makes integers

    "a recurrent step": lambda w, h, x: torch.tanh(x + h @ w),
    "x used three times": lambda x: x * torch.tanh(x) - x[:1],
}  # fmt: skip
