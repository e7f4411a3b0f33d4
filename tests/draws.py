"""Arguments for our own ops: axes, shapes, cuts and indices of every kind, drawn by Hypothesis.

What any op can be tried on (fills, cases, arrays that broadcast) is in `tinygrad_seq.testing`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq.testing import Case, Fill, Shape, filled, normal, one, seeds

Cases = st.SearchStrategy[Case]
Draw = st.DrawFn

generators = seeds.map(np.random.default_rng)
full_shapes = npst.array_shapes(min_dims=0, max_dims=3, max_side=4)
solid_shapes = npst.array_shapes(max_dims=3, max_side=4)  # at least one axis


def whole(rng, shape):
    """Few values, so that ties happen."""
    return rng.integers(-2, 3, shape).astype(float)


def truth(rng, shape):
    return rng.random(shape) < 0.5


def products() -> Cases:
    """Vectors, matrices and batches that matmul accepts."""
    drawn = npst.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3)
    return filled(drawn.map(lambda found: found.input_shapes), normal)


# ------------------------------------------------------------------------------------------------- axes, shapes, sizes


def axes(ndim: int) -> st.SearchStrategy[Any]:
    """None, an int or a tuple of different axes, counted from either end."""
    if not ndim:
        return st.sampled_from([None, ()])
    return st.none() | st.integers(-ndim, ndim - 1) | npst.valid_tuple_axes(ndim)


def some_axis(ndim: int) -> st.SearchStrategy[int]:
    return st.integers(-ndim, ndim - 1)


def chosen(fill: Fill = normal, sizes: st.SearchStrategy[Shape] = solid_shapes, /, **static: Any) -> Cases:
    """One array, and static parameters each drawn for its shape."""
    return sizes.flatmap(lambda size: one(fill, st.just(size), **{name: draw(size) for name, draw in static.items()}))


def reduced(fill: Fill = normal, shape: st.SearchStrategy[Shape] = full_shapes) -> Cases:
    return chosen(fill, shape, axis=lambda size: axes(len(size)), keepdims=lambda size: st.booleans())


def along(fill: Fill = normal, shape: st.SearchStrategy[Shape] = solid_shapes) -> Cases:
    """One array, one axis of it."""
    return chosen(fill, shape, axis=lambda size: some_axis(len(size)))


def reshapes(size: Shape) -> st.SearchStrategy[Shape]:
    count = int(np.prod(size))
    divisors = [n for n in range(1, count + 1) if count % n == 0]
    forms = [(count,), (-1,), *((n, count // n) for n in divisors), *((n, -1) for n in divisors), (1, *size)]
    return st.sampled_from(forms)


def broadened(size: Shape) -> st.SearchStrategy[Shape]:
    """A shape that this one broadcasts to."""
    wider = npst.broadcastable_shapes(size, min_dims=len(size), max_dims=4, min_side=0, max_side=4)
    return wider.map(lambda shape: np.broadcast_shapes(size, shape))


@st.composite
def cuts(draw: Draw) -> Case:
    """One array, an axis, and a chunk size or the sizes of its pieces (empty ones too)."""
    size = draw(solid_shapes)
    axis = draw(some_axis(len(size)))
    length = size[axis]
    ends = sorted(draw(st.lists(st.integers(0, length), max_size=3)))
    sizes = tuple(np.diff([0, *ends, length]).tolist())
    chunk = draw(st.sampled_from([sizes, list(sizes), *range(1, length + 2)]))
    return draw(one(normal, st.just(size), size_or_sizes=chunk, axis=axis))


def widths(size: Shape) -> st.SearchStrategy[Any]:
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.integers(0, 2) | pair | st.tuples(*[pair] * len(size))


@st.composite
def rows_of_pieces(draw: Draw, same: bool) -> Case:
    """Several arrays to join along an axis: of one shape, or different along that axis."""
    size = draw(solid_shapes)
    axis = draw(st.integers(-len(size) - same, len(size) - 1 + same))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    pieces = [size if same else tuple(n if i == axis % len(size) else m for i, m in enumerate(size)) for n in lengths]
    return draw(filled(st.just(pieces), normal, axis=axis))


# ------------------------------------------------------------------------------------------------------------ indices


@st.composite
def gathers(draw: Draw, size: Shape) -> Any:
    """Integer arrays (repeats and negative ones among them) or lists, beside ints, slices, None and Ellipsis."""
    together = draw(npst.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3))
    parts: list[Any] = []
    for n in size[: draw(st.integers(1, len(size)))]:
        ids = npst.arrays(np.int64, together, elements=st.integers(-n, n - 1), fill=st.nothing())
        parts.append(draw(ids | st.integers(-n, n - 1) | st.slices(n)))
    at = draw(st.integers(0, len(parts) - 1))
    n = size[at]
    ids = draw(npst.arrays(np.int64, together, elements=st.integers(-n, n - 1), fill=st.nothing()))
    parts[at] = ids.tolist() if (ids.size or ids.ndim == 1) and draw(st.booleans()) else ids
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(Ellipsis)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def masks(draw: Draw, size: Shape) -> Any:
    """Truth over the first axes, and slices of the rest."""
    covered = draw(st.integers(1, len(size)))
    mask = draw(npst.arrays(np.bool_, size[:covered], elements=st.booleans(), fill=st.nothing()))
    rest = tuple(draw(st.slices(n)) for n in size[covered:])
    return (mask, *rest) if rest or draw(st.booleans()) else mask


def basic(size: Shape) -> st.SearchStrategy[Any]:
    """Ints, slices with any step, None and Ellipsis."""
    return npst.basic_indices(size, allow_newaxis=True, allow_ellipsis=True)


def picks(kind: Callable[[Shape], Any], shape: st.SearchStrategy[Shape] = solid_shapes) -> Cases:
    return chosen(normal, shape, index=kind)


@st.composite
def steps(draw: Draw, size: Shape) -> list[Any]:
    """Indices as in a loop over the steps of one axis: x[t], x[:, t], x[..., t], x[t:t+2]."""
    axis = draw(st.integers(0, len(size) - 1))
    ways = [(slice(None),) * axis, *([(...,)] if axis == len(size) - 1 else [])]
    before = draw(st.sampled_from(ways))
    places = draw(st.lists(st.integers(-size[axis], size[axis] - 1), min_size=3, max_size=6))
    lengths = draw(st.lists(st.integers(0, 3), min_size=6, max_size=6))
    parts = [slice(t % size[axis], t % size[axis] + n) if n else t for t, n in zip(places, lengths)]
    return parts if draw(st.booleans()) and not before else [(*before, part) for part in parts]


@st.composite
def placements(draw: Draw) -> Case:
    """Pieces, and where in an array of a shape each is added."""
    size = draw(solid_shapes)
    found = draw(st.lists(basic(size) | gathers(size) | masks(size), min_size=1, max_size=3) | steps(size))
    pieces = [np.zeros(size)[index].shape for index in found]
    return draw(filled(st.just(pieces), normal, shape=size, indices=tuple(found)))


@st.composite
def look_ups(draw: Draw, rows: bool, some: bool = False) -> Case:
    """A table and ids of its rows (`some`: never a 0-d id), or (with rows) one array for each id to add at its row."""
    table = (draw(st.integers(1, 4)), *draw(npst.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)))
    places = npst.array_shapes(min_dims=int(some), max_dims=2, min_side=0, max_side=4)
    ids = draw(npst.arrays(np.int64, places, fill=st.nothing(), elements=st.integers(0, table[0] - 1)))
    found = draw(one(normal, st.just((*ids.shape, *table[1:]) if rows else table)))
    return Case((*found.arrays, np.asarray(ids)), {"count": table[0]} if rows else {})
