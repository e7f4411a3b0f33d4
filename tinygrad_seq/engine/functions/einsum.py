"""Einstein's summation: products of arrays whose axes have names, said in transpose, matmul, multiply and sum."""

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from tinygrad_seq.engine.arguments import shape_of
from tinygrad_seq.engine.backend import host, modules, on_device_of
from tinygrad_seq.engine.coercion import coerce_all
from tinygrad_seq.engine.functions.arithmetic import matmul
from tinygrad_seq.engine.functions.reductions import sum
from tinygrad_seq.engine.functions.shapes import broadcast_to, reshape, transpose
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.ops.elementwise import multiply
from tinygrad_seq.engine.ops.indexing import getitem

Names = str  # a letter for each axis


@public
def einsum(equation: str, *operands: Any) -> Any:
    """Return a sum of products of arrays: "bij,bjk->bik" multiplies batches of matrices.

    Each axis has a letter. Axes of one letter are multiplied element by element, and summed over if the letter is not
    behind the arrow. Without an arrow, the letters that occur once come out in alphabetical order. "..." stands for any
    further axes, which broadcast; a letter that is twice in one operand takes its diagonal. As in NumPy and PyTorch;
    several operands are multiplied from left to right. Raises ValueError for an equation that does not fit the shapes.

    >>> import tinygrad_seq as ts
    >>> queries, keys = ts.ones(2, 3, 4), ts.ones(2, 5, 4)
    >>> ts.einsum("bqd,bkd->bqk", queries, keys).shape
    (2, 3, 5)
    """
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if any(isinstance(x, Value) for x in operands):
        operands = coerce_all("einsum", operands)
    arrays = [x if isinstance(x, Value) or type(x) in modules else host.asarray(x) for x in operands]
    inputs, output = parsed(equation, [shape_of(x) for x in arrays])
    (x, names), *rest = (diagonal(x, names) for x, names in zip(arrays, inputs))
    for i, (y, other) in enumerate(rest):
        needed = output + "".join(later for _, later in rest[i + 1 :])
        x, names = product(x, names, y, other, needed)
    x, names = summed(x, names, output)
    return arranged(x, names, output)


def parsed(equation: Any, shapes: Sequence[tuple[int, ...]]) -> tuple[list[Names], Names]:
    """Return the letters of each operand's axes, and those of the result. Each axis of "..." gets a letter, too."""
    if not isinstance(equation, str) or not shapes:
        raise TypeError(f'einsum: expected an equation such as "ij,jk->ik" and operands, got {equation!r:.60}')
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms, unnamed = left.split(","), [chr(code) for code in range(0x3B1, 0x3B1 + 64)]
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {equation!r} is for {len(terms)} operand(s), got {len(shapes)}")
    sizes: dict[str, int] = {}
    inputs, most = [], 0
    for number, (term, shape) in enumerate(zip(terms, shapes)):
        letters = term.replace("...", "", 1)
        extra = len(shape) - len(letters) if "..." in term else 0
        if not all(letter.isascii() and letter.isalpha() for letter in letters) or extra < 0 or extra > 64:
            raise ValueError(f"einsum: {term!r} does not name the axes of operand {number}, of shape {shape}")
        names = term.replace("...", "".join(unnamed[64 - extra :]))
        most = max(most, extra)
        if len(names) != len(shape):
            raise ValueError(f"einsum: {term!r} names {len(names)} axes, operand {number} has shape {shape}")
        for name, size in zip(names, shape):
            if 1 not in (size, sizes.setdefault(name, size)) and sizes[name] != size:
                raise ValueError(f"einsum: axis {name!r} has length {sizes[name]}, but {size} in operand {number}")
            sizes[name] = max(sizes[name], size) if 0 not in (size, sizes[name]) else 0
        inputs.append(names)
    counts = Counter(left.replace("...", "").replace(",", ""))
    output = right if arrow else "..." + "".join(sorted(name for name in counts if counts[name] == 1))
    output = output.replace("...", "".join(unnamed[64 - most :]), 1)
    if len(set(output)) != len(output) or not set(output) <= sizes.keys():
        raise ValueError(f"einsum: the result of {equation!r} must name axes of the operands, each once")
    return inputs, output


def diagonal(x: Any, names: Names) -> tuple[Any, Names]:
    """Return an array in which no letter is twice: of two axes of one letter their diagonal."""
    while repeated := next((name for name in names if names.count(name) > 1), None):
        first, second = names.index(repeated), names.rindex(repeated)
        rest = [axis for axis in range(len(names)) if axis not in (first, second)]
        x = transpose(x, first, second, *rest)
        if shape_of(x)[0] != shape_of(x)[1]:
            raise ValueError(f"einsum: {repeated!r} is twice in one operand, with lengths {shape_of(x)[:2]}")
        array = x.array if isinstance(x, Value) else x
        with on_device_of(array):
            along = modules[type(array)].arange(shape_of(x)[0])
        x = getitem(x, index=(along, along))
        names = repeated + "".join(names[axis] for axis in rest)
    return x, names


def summed(x: Any, names: Names, needed: Names) -> tuple[Any, Names]:
    """Return an array summed over the axes that are not needed."""
    axes = [axis for axis, name in enumerate(names) if name not in needed]
    return (sum(x, axes), "".join(name for name in names if name in needed)) if axes else (x, names)


def arranged(x: Any, names: Names, order: Names) -> Any:
    """Return an array with its axes in another order, those that it lacks as length one."""
    sizes = dict(zip(names, shape_of(x)))
    axes = [names.index(name) for name in order if name in names]
    x = x if axes == sorted(axes) else transpose(x, axes)
    return reshaped(x, *[sizes.get(name, 1) for name in order])


def reshaped(x: Any, *shape: int) -> Any:
    """Return an array in a shape; itself where it has that already, so that a picture shows no op without effect."""
    return x if shape_of(x) == shape else reshape(x, shape)


def product(x: Any, left: Names, y: Any, right: Names, needed: Names) -> tuple[Any, Names]:
    """Return the product of two arrays, summed over the axes of both that are not needed, and its letters."""
    (x, left), (y, right) = summed(x, left, needed + right), summed(y, right, needed + left)
    joined = [name for name in left if name in right and name not in needed]
    if not joined:
        order = left + "".join(name for name in right if name not in left)
        return multiply(arranged(x, left, order), arranged(y, right, order)), order
    batch = [name for name in left if name in right and name in needed]
    rows, columns = ([name for name in names if name not in batch + joined] for names in (left, right))
    x, y = arranged(x, left, "".join(batch + rows + joined)), arranged(y, right, "".join(batch + joined + columns))
    at, to_x, to_y = len(batch), len(batch + rows), len(batch + joined)
    sizes_x, sizes_y = shape_of(x), shape_of(y)
    inner = host.broadcast_shapes(sizes_x[to_x:], sizes_y[at:to_y])  # a length of 1 is repeated
    x, y = stretched(x, sizes_x[:to_x] + inner), stretched(y, sizes_y[:at] + inner + sizes_y[to_y:])
    x = reshaped(x, *sizes_x[:at], prod(sizes_x[at:to_x]), prod(inner))
    y = reshaped(y, *sizes_y[:at], prod(inner), prod(sizes_y[to_y:]))
    found = matmul(x, y)
    return reshaped(found, *shape_of(found)[:at], *sizes_x[at:to_x], *sizes_y[to_y:]), "".join(batch + rows + columns)


def stretched(x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array with its axes of length one repeated; itself where there are none."""
    return x if shape_of(x) == shape else broadcast_to(x, shape)
