"""A row per op: what it computes, what NumPy computes, and how to draw its arguments. A law is a file, an op is a row.

`op` names the registered primitive that the row is about (None: a composite); test_table.py sees to it that every
primitive has a row. Floating arguments of a `smooth` row are the differentiable ones, and are drawn away from kinks
and poles; the kinks themselves are in test_kinks.py. Rows are for the public spelling wherever there is one.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from draws import (
    Cases,
    along,
    axes,
    basic,
    broadened,
    chosen,
    cuts,
    gathers,
    look_ups,
    masks,
    picks,
    placements,
    products,
    reduced,
    reshapes,
    rows_of_pieces,
    solid_shapes,
    some_axis,
    truth,
    whole,
    widths,
)
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_seq as ts
from tinygrad_seq.engine.ops import comparison, elementwise, indexing, joining, reduction, shape
from tinygrad_seq.engine.primitive import registry
from tinygrad_seq.testing import Case, distinct, filled, nonzero, normal, off_grid, one, positive, shapes, together

PRIMITIVES = {name: op for name, op in registry.items() if op.forward.__module__.startswith("tinygrad_seq.")}


@dataclass(frozen=True)
class Row:
    name: str
    op: str | None
    function: Callable[..., Any]  # Tensors or raw arrays -> one, or a list
    reference: Callable[..., Any]  # NumPy arrays -> one, or a list
    cases: Cases
    rough: bool = False  # it has no gradient, or its cases are at kinks: no gradient law
    linear: bool = False  # its gradient depends on none of its arguments
    method: bool = False  # Tensor has a method of this name
    looks: bool = False  # it has to read its ids on the host, to refuse wrong ones

    @property
    def smooth(self) -> bool:
        return not self.rough

    def __str__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what Hypothesis prints
        printer.text(self.name)


ROWS: list[Row] = []


def row(name: str, op: str | None, function: Any, reference: Any, cases: Cases, *flags: str) -> None:
    ROWS.append(Row(name, op, function, reference, cases, **dict.fromkeys(flags, True)))


# ------------------------------------------------------------------------------------------------ element by element

row("exp", "exp", ts.exp, np.exp, one(), "method")
row("log", "log", ts.log, np.log, one(positive), "method")
row("sqrt", "sqrt", ts.sqrt, np.sqrt, one(positive), "method")
row("sin", "sin", ts.sin, np.sin, one(), "method")
row("cos", "cos", ts.cos, np.cos, one(), "method")
row("tanh", "tanh", ts.tanh, np.tanh, one(), "method")
row("sigmoid", "sigmoid", ts.sigmoid, lambda x: 1 / (1 + np.exp(-x)), one(), "method")
row("softplus", "softplus", elementwise.softplus, lambda x: np.log(1 + np.exp(x)), one())
row("relu", "relu", ts.relu, lambda x: np.where(x > 0, x, np.zeros_like(x)), one(nonzero), "method")
row("abs", "abs", ts.abs, np.abs, one(nonzero), "method")
row("operator abs", "abs", abs, np.abs, one(nonzero))
row("negative", "negative", ts.negative, np.negative, one(), "linear")
row("operator neg", "negative", operator.neg, np.negative, one(), "linear")
bounds = st.sampled_from([-1.0, 0.0, None]), st.sampled_from([1.0, 2.0, None])
row("clip", "clip", ts.clip, lambda x, low, high: np.clip(x, low, high),
    one(off_grid(0.25), low=bounds[0], high=bounds[1]), "method")

row("add", "add", ts.add, np.add, together(2, normal), "linear")
row("subtract", "subtract", ts.subtract, np.subtract, together(2, normal), "linear")
row("multiply", "multiply", ts.multiply, np.multiply, together(2, normal))
row("divide", "divide", ts.divide, np.divide, together(2, normal, nonzero))
row("power", "power", ts.power, np.power, together(2, positive, normal))
row("maximum", "maximum", ts.maximum, np.maximum, together(2, off_grid(0.0), off_grid(0.5)), "method")
row("minimum", "minimum", ts.minimum, np.minimum, together(2, off_grid(0.0), off_grid(0.5)), "method")
row("where", "where", ts.where, np.where, together(3, truth, normal, normal), "linear")
row("where number", "where", lambda c, x: ts.where(c, x, -1.0), lambda c, x: np.where(c, x, np.asarray(-1, x.dtype)),
    together(2, truth, normal), "linear")

of_numpy = np.float64(1.5), np.float32(2), np.int64(3), np.array(0.5), np.array(2)  # none of them widens float32
for symbol, name, of, fills in [
    ("+", "add", operator.add, [normal]), ("-", "subtract", operator.sub, [normal]),
    ("*", "multiply", operator.mul, [normal]), ("/", "divide", operator.truediv, [normal, nonzero]),
    ("**", "power", operator.pow, [positive, normal]),
]:
    row(f"x {symbol} y", name, of, of, together(2, *fills), *["linear"] * (symbol in "+-"))
    number = st.sampled_from([2, 3.0, 0.5, -2, 1, *of_numpy])
    row(f"x {symbol} number", name, lambda x, n, of=of: of(x, n), lambda x, n, of=of: of(x, x.dtype.type(n)),
        one(positive, n=number), *["linear"] * (symbol in "+-*/"))
    row(f"number {symbol} x", name, lambda x, n, of=of: of(n, x), lambda x, n, of=of: of(x.dtype.type(n), x),
        one(positive, n=st.sampled_from([2, 3.0, 0.5, *of_numpy])), *["linear"] * (symbol in "+-*"))
row("x // y", "floor_divide", operator.floordiv, np.floor_divide, together(2, normal, nonzero), "rough")
row("x % y", "remainder", operator.mod, np.remainder,
    together(2, off_grid(0.5), lambda rng, shape: rng.choice([-2.0, -1.0, 1.0, 2.0], shape)))
row("x ** whole number", "power", lambda x, n: x**n, lambda x, n: x ** x.dtype.type(n),
    one(nonzero, n=st.sampled_from([-2, -1, 0, 1, 2, 3])))

row("maximum number", "maximum", lambda x, n: ts.maximum(x, n), lambda x, n: np.maximum(x, x.dtype.type(n)),
    one(off_grid(0.25), n=st.sampled_from([-1, 0.0, np.float64(1.0), np.array(1.0)])))

for name, of in [("equal", operator.eq), ("not_equal", operator.ne), ("less", operator.lt), ("less_equal", operator.le),
                 ("greater", operator.gt), ("greater_equal", operator.ge)]:
    row(name, name, getattr(comparison, name), getattr(np, name), together(2, whole), "rough")
    row(f"operator {of.__name__}", name, of, of, together(2, whole), "rough")
for name, of in [("bitwise_and", operator.and_), ("bitwise_or", operator.or_)]:
    row(name, name, of, of, together(2, truth, truth), "rough")
row("invert", "invert", operator.invert, np.invert, one(truth), "rough")

# -------------------------------------------------------------------------------------------------------- reductions

row("sum", "sum", ts.sum, np.sum, reduced(shape=shapes), "method", "linear")
row("mean", None, ts.mean, np.mean, reduced(), "method", "linear")
wide = npst.array_shapes(max_dims=3, min_side=2, max_side=4)
row("var", None, ts.var, np.var, reduced(shape=wide), "method")
row("var of a sample", None, ts.var, lambda x, axis, correction: np.var(x, axis, ddof=correction),
    chosen(normal, wide, axis=lambda size: some_axis(len(size)), correction=lambda size: st.just(1)))
row("max", "max", ts.max, np.max, reduced(distinct), "method")
row("min", "min", ts.min, np.min, reduced(distinct), "method")
row("max, ties", "max", ts.max, np.max, reduced(whole), "rough")
for order in (1.0, 1.5, 2, 3.0):
    row(f"norm {order}", "norm", lambda x, axis, keepdims, p=order: ts.norm(x, p, axis, keepdims),
        lambda x, axis, keepdims, p=order: np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=p),
        reduced(nonzero))
for order in (np.inf, -np.inf):
    row(f"norm {order}", None, lambda x, axis, keepdims, p=order: ts.norm(x, p, axis, keepdims),
        lambda x, axis, keepdims, p=order: (np.max if p > 0 else np.min)(np.abs(x), axis, keepdims=keepdims),
        reduced(distinct))
row("argmax", "argmax", ts.argmax, np.argmax, along(whole), "method", "rough")
row("argmax of all", "argmax", ts.argmax, np.argmax, one(whole, solid_shapes), "rough")
row("logsumexp", "logsumexp", ts.logsumexp,
    lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis, keepdims=keepdims)), reduced(), "method")
row("log_softmax", "log_softmax", ts.log_softmax, lambda x, axis: x - np.log(np.sum(np.exp(x), axis, keepdims=True)),
    along(), "method")
row("softmax", None, ts.softmax, lambda x, axis: np.exp(x) / np.sum(np.exp(x), axis, keepdims=True), along(), "method")


def shared_ties(x: Any, y: Any, axis: tuple[int, ...]) -> Any:
    return (x == y).astype(x.dtype) / np.sum(x == y, axis, keepdims=True).astype(x.dtype)


def with_its_max(case: Case) -> Case:
    x, = case.arrays
    axis = (case.static["axis"] % x.ndim,)
    return Case((x, x.max(axis, keepdims=True)), {"axis": axis})


row("ties", "ties", reduction.ties, shared_ties, along(whole).map(with_its_max), "rough")


def summed_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Number the elements of `shape`, broadcast the numbers to x, and count."""
    size = int(np.prod(shape))
    ids = np.broadcast_to(np.arange(size).reshape(shape), x.shape)
    return np.bincount(ids.ravel(), x.ravel(), size).reshape(shape).astype(x.dtype)


def swapped(case: Case) -> Case:
    """Of (x, the shape it broadcasts to): (x broadcast, the shape it had)."""
    return Case((np.broadcast_to(case.arrays[0], case.static["shape"]) * 1.5,), {"shape": case.arrays[0].shape})


row("sum_to", "sum_to", shape.sum_to, summed_to, chosen(normal, shapes, shape=broadened).map(swapped), "linear")

# ------------------------------------------------------------------------------------------------------------ shapes

permutations = chosen(axes=lambda size: st.permutations(range(len(size))).map(tuple))
two_axes = chosen(a=lambda size: some_axis(len(size)), b=lambda size: some_axis(len(size)))
borders = chosen(normal, shapes, widths=widths, value=lambda size: st.sampled_from([0.0, -1.5]))
small = npst.array_shapes(min_dims=0, max_dims=4, max_side=2)  # so that axes of length one are common
row("reshape", "reshape", lambda x, shape: ts.reshape(x, *shape), lambda x, shape: x.reshape(shape),
    chosen(shape=reshapes), "linear")
row("transpose", "transpose", lambda x, axes: ts.transpose(x, *axes), np.transpose, permutations, "linear")
row("transpose all", "transpose", ts.transpose, np.transpose, one(), "method", "linear")
row("T", "transpose", lambda x: x.T, lambda x: x.T, one(), "linear")
row("swapaxes", "transpose", ts.swapaxes, lambda x, a, b: np.swapaxes(x, a, b), two_axes, "method", "linear")
row("expand_dims", "reshape", ts.expand_dims, np.expand_dims,
    chosen(normal, shapes, axis=lambda size: some_axis(len(size) + 1)), "method", "linear")
row("squeeze", "reshape", ts.squeeze, np.squeeze, one(normal, small), "method", "linear")
row("squeeze an axis", "reshape", lambda x, axis: ts.squeeze(ts.expand_dims(x, axis=axis), axis=axis),
    lambda x, axis: x, along(), "linear")
row("broadcast_to", "broadcast_to", lambda x, shape: ts.broadcast_to(x, *shape), np.broadcast_to,
    chosen(normal, shapes, shape=broadened), "linear")
row("flip", "flip", ts.flip, np.flip, chosen(normal, shapes, axis=lambda size: axes(len(size))), "method", "linear")
row("contiguous", "contiguous", lambda x: shape.contiguous(ts.transpose(x)), lambda x: x.T, one(), "linear")
row("cast", "cast", shape.cast, lambda x, dtype: x.astype(dtype),
    one(dtype=st.sampled_from(["float32", "float64"])), "rough")  # its slope: test_dtypes.py
row("cast to double", "cast", shape.cast, lambda x, dtype: x.astype(dtype), one(dtype="float64"), "linear")
row("transfer", "transfer", shape.transfer, lambda x, device, back: x, one(device="cpu", back="cpu"), "linear")
row("pad", "pad", ts.pad, lambda x, widths, value: np.pad(x, widths or 0, constant_values=value), borders,
    "method", "linear")
row("unpad", "unpad", joining.unpad, lambda x, widths: x[1:, 2:-1],
    one(normal, npst.array_shapes(min_dims=2, max_dims=2, min_side=3), widths=((1, 0), (2, 1))), "linear")

# ------------------------------------------------------------------------------------------------- joining and cutting


def pieces_of(x: Any, size_or_sizes: Any, axis: int) -> list[Any]:
    if isinstance(size_or_sizes, int):
        return np.split(x, range(size_or_sizes, x.shape[axis], size_or_sizes), axis)
    return np.split(x, np.cumsum(size_or_sizes)[:-1], axis)


def slices_of(x: Any, axis: int = 0) -> list[Any]:
    return [x.take(i, axis) for i in range(x.shape[axis])]


row("concatenate", "concatenate", lambda *pieces, axis: ts.concatenate(pieces, axis),
    lambda *pieces, axis: np.concatenate(pieces, axis), rows_of_pieces(same=False), "linear")
row("stack", "stack", lambda *pieces, axis: ts.stack(pieces, axis), lambda *pieces, axis: np.stack(pieces, axis),
    rows_of_pieces(same=True), "linear")
row("split", "split", ts.split, pieces_of, cuts(), "method", "linear")
row("unstack", "unstack", ts.unstack, slices_of, along(), "method", "linear")
row("one part of a split", "part", lambda x, axis: ts.unstack(x, axis)[-1], lambda x, axis: x.take(-1, axis),
    along(), "linear")
row("iteration", "unstack", list, slices_of, one(normal, solid_shapes), "linear")

# ------------------------------------------------------------------------------------------------- products and picks

row("matmul", "matmul", ts.matmul, np.matmul, products(), "method")
row("operator @", "matmul", operator.matmul, np.matmul, products())

EINSUM = {  # equations, and shapes for them
    "ij,jk->ik": [(2, 3), (3, 4)], "bij,kjb->ibk": [(2, 3, 2), (3, 2, 2)], "iji,ik->k": [(2, 3, 2), (2, 4)],
    "i...,...i->...": [(3, 2), (4, 2, 3)], "ij,k->ki": [(2, 3), (2,)],
}  # fmt: skip
for equation, fitting in EINSUM.items():
    row(f"einsum {equation}", None, lambda x, y, equation=equation: ts.einsum(equation, x, y),
        lambda x, y, equation=equation: np.einsum(equation, x, y), filled(st.just(fitting), normal))

for name, cases in [("basic", picks(basic, shapes)), ("gather", picks(gathers)), ("mask", picks(masks)),
                    ("empty list", one(normal, solid_shapes, index=[]))]:
    row(f"index, {name}", "getitem", lambda x, index: indexing.getitem(x, index=index), lambda x, index: x[index],
        cases, "linear")
    row(f"x[{name}]", "getitem", lambda x, index: x[index], lambda x, index: x[index], cases, "linear")


def added_up(*pieces: Any, shape: tuple[int, ...], indices: tuple[Any, ...]) -> Any:
    total = np.zeros(shape, pieces[0].dtype)
    for piece, index in zip(pieces, indices, strict=True):
        np.add.at(total, index, piece)
    return total


row("scatter", "scatter", indexing.scatter, added_up, placements(), "linear")
row("take", "take", ts.take, lambda x, ids: x[ids], look_ups(rows=False), "method", "linear", "looks")
row("take, twice", "take", lambda x, ids: [ts.take(x, ids), ts.take(x, ids[:1])], lambda x, ids: [x[ids], x[ids[:1]]],
    look_ups(rows=False, some=True), "linear", "looks")
row("scatter_rows", "scatter_rows", indexing.scatter_rows,
    lambda rows, ids, count: added_up(rows, shape=(count, *rows.shape[ids.ndim:]), indices=(ids,)),
    look_ups(rows=True), "linear")
ids = one(lambda rng, shape: rng.integers(0, 5, shape), count=5)
row("one_hot", None, ts.one_hot, lambda ids, count: np.eye(count, dtype=np.float32)[ids], ids, "rough", "looks")

# ------------------------------------------------------------------------------------------- computations of several

row("a recurrent step", "tanh", lambda w, h, x: ts.tanh(x + h @ w), lambda w, h, x: np.tanh(x + h @ w),
    filled(st.just([(3, 3), (2, 3), (2, 3)]), normal))
row("x used three times", "multiply", lambda x: x * ts.tanh(x) - x[:1], lambda x: x * np.tanh(x) - x[:1],
    one(normal, solid_shapes))

SMOOTH = [each for each in ROWS if each.smooth]
