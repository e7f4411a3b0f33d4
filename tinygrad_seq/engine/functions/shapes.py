"""The public functions that rearrange, join and cut: arguments checked and completed, then said in ops."""

from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_seq.engine.arguments import Axis, T, an_int, as_number, axes_of, ints, one_axis, shape_of, spread
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.engine.hints import public
from tinygrad_seq.engine.ops import joining
from tinygrad_seq.engine.ops import shape as shapes


@public
def reshape(x: T, *shape: Any) -> T:
    """Return the same elements in another shape, given as ints or as one tuple; one of them may be -1.

    Raises ValueError if the number of elements is not the same.

    >>> import tinygrad_seq as ts
    >>> ts.reshape(ts.arange(6), 2, 3).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    wanted = ints("reshape: shape", spread(shape))
    if min(wanted, default=0) < -1:
        raise ValueError(f"reshape: a length must not be negative, except -1 for one to be found, got {wanted}")
    return shapes.reshape(x, shape=wanted)


@public
def transpose(x: T, *axes: Any) -> T:
    """Return the axes in another order: NumPy's permutation of all axes, reversed when none is given.

    Axis i of the result is axis `axes[i]` of x. Raises ValueError for what is no permutation of all axes; PyTorch's
    `transpose(a, b)` is `swapaxes`.

    >>> import tinygrad_seq as ts
    >>> ts.transpose(ts.zeros(2, 3, 4), 1, 2, 0).shape
    (3, 4, 2)
    """
    ndim = len(shape_of(x))
    order = tuple(one_axis("transpose", a, ndim) for a in spread(axes)) or tuple(reversed(range(ndim)))
    if sorted(order) != list(range(ndim)):
        raise ValueError(
            f"transpose: axes {axes} are not a permutation of all {ndim} axes; swapaxes(a, b) exchanges two"
        )
    return shapes.transpose(x, axes=order)


@public
def swapaxes(x: T, a: int, b: int) -> T:
    """Return the array with two axes exchanged, which may count from the end. Raises IndexError if there is none.

    >>> import tinygrad_seq as ts
    >>> ts.swapaxes(ts.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    ndim = len(shape_of(x))
    a, b = one_axis("swapaxes", a, ndim), one_axis("swapaxes", b, ndim)
    order = list(range(ndim))
    order[a], order[b] = b, a
    return shapes.transpose(x, axes=tuple(order))


@public
def expand_dims(x: T, axis: int) -> T:
    """Add an axis of length one, which is axis number `axis` of the result (PyTorch's `unsqueeze`).

    Raises IndexError unless -n <= axis < n, where n counts the axes of the result.

    >>> import tinygrad_seq as ts
    >>> ts.expand_dims(ts.zeros(2, 3), -1).shape
    (2, 3, 1)
    """
    old = shape_of(x)
    at = one_axis("expand_dims", axis, len(old) + 1)
    return shapes.reshape(x, shape=(*old[:at], 1, *old[at:]))


@public
def squeeze(x: T, axis: Axis = None) -> T:
    """Drop axes of length one: those named, or all. Raises ValueError for a named axis of another length.

    >>> import tinygrad_seq as ts
    >>> ts.squeeze(ts.zeros(2, 1, 3)).shape
    (2, 3)
    """
    old = shape_of(x)
    axes = tuple(i for i, n in enumerate(old) if n == 1) if axis is None else axes_of("squeeze", axis, x)
    for a in axes:
        if old[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {old} has length {old[a]}, not 1")
    return shapes.reshape(x, shape=tuple(n for i, n in enumerate(old) if i not in axes))


@public
def broadcast_to(x: T, *shape: Any) -> T:
    """Repeat along new axes and axes of length one, by NumPy's rules; the gradient is summed over the copies.

    Raises ValueError if the shapes do not fit.

    >>> import tinygrad_seq as ts
    >>> ts.broadcast_to(ts.arange(2), 2, 2).tolist()
    [[0, 1], [0, 1]]
    """
    return shapes.broadcast_to(x, shape=ints("broadcast_to: shape", spread(shape)))


@public
def flip(x: T, axis: Axis = None) -> T:
    """Reverse the order along an axis, several, or all.

    >>> import tinygrad_seq as ts
    >>> ts.flip(ts.arange(3)).tolist()
    [2, 1, 0]
    """
    return shapes.flip(x, axis=axes_of("flip", axis, x))


@public
def pad(x: T, widths: Any, value: float = 0.0) -> T:
    """Add borders of a constant: `widths` is one number, one (before, after), or one pair for each axis, as in NumPy.

    Raises ValueError for negative widths, for another number of pairs, and for a value that an integer dtype cannot
    hold.

    >>> import tinygrad_seq as ts
    >>> ts.pad(ts.ones(2), (1, 2)).tolist()
    [0.0, 1.0, 1.0, 0.0, 0.0]
    """
    ndim = len(shape_of(x))
    try:
        given = host.asarray(widths)
        if given.size and given.dtype.kind not in "iu":
            raise TypeError(f"pad: widths must be ints, got {widths!r}")
        pairs = host.broadcast_to(given if given.size else given.reshape(0, 2), (ndim, 2)).tolist()
    except ValueError:
        raise ValueError(f"pad: widths {widths!r} do not give (before, after) for each of {ndim} axes") from None
    if any(n < 0 for pair in pairs for n in pair):
        raise ValueError(f"pad: widths {widths!r} must not be negative; index to cut off")
    value, dtype = as_number("pad", "value", value), getattr(x, "dtype", None)
    if dtype is not None and dtype.kind in "iu" and not host.iinfo(dtype).min <= value <= host.iinfo(dtype).max:
        raise ValueError(f"pad: {value} does not fit into {dtype}: convert the Tensor before, .to(...)")
    return joining.pad(x, widths=tuple((int(a), int(b)) for a, b in pairs), value=value)


# --------------------------------------------------------------------------------- joining and cutting


@public
def concatenate(pieces: Sequence[T], axis: int = 0) -> T:
    """Return Tensors one after another along an axis they have; the other axes must be as long in all of them.

    Raises TypeError unless `pieces` is a list or tuple that is not empty, ValueError for shapes that do not fit.

    >>> import tinygrad_seq as ts
    >>> ts.concatenate([ts.arange(2), ts.arange(3)]).tolist()
    [0, 1, 0, 1, 2]
    """
    pieces = nonempty("concatenate", pieces)
    return joining.concatenate(*pieces, axis=one_axis("concatenate", axis, len(shape_of(pieces[0]))))


@public
def stack(pieces: Sequence[T], axis: int = 0) -> T:
    """Return Tensors of one shape side by side along a new axis: T outputs of shape (B, H) become (T, B, H).

    Raises TypeError unless `pieces` is a list or tuple that is not empty, ValueError for several shapes.

    >>> import tinygrad_seq as ts
    >>> ts.stack([ts.arange(2), ts.arange(2)], axis=1).tolist()
    [[0, 0], [1, 1]]
    """
    pieces = nonempty("stack", pieces)
    if len({shape_of(piece) for piece in pieces}) > 1:
        raise ValueError(f"stack: all shapes must be equal, got {[shape_of(piece) for piece in pieces][:8]}")
    return joining.stack(*pieces, axis=one_axis("stack", axis, len(shape_of(pieces[0])) + 1))


def nonempty(op: str, pieces: Sequence[T]) -> list[T]:
    """Return the pieces to join as a list; refuse none at all, and what is no list or tuple."""
    if isinstance(pieces, Value) or not isinstance(pieces, Sequence) or not pieces:
        raise TypeError(f"{op}: expected a non-empty list or tuple of Tensors, got {pieces!r:.60}")
    return list(pieces)


@public
def split(x: Iterable[T], size_or_sizes: int | Sequence[int], axis: int = 0) -> list[T]:
    """Cut an axis into chunks of a size (the last may be smaller), or into pieces of the sizes given.

    `split(x, 3)` gives chunks of length 3, as in PyTorch (NumPy's gives 3 chunks). Raises ValueError for sizes that do
    not sum to the length.

    >>> import tinygrad_seq as ts
    >>> [piece.tolist() for piece in ts.split(ts.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    length = shape_of(x)[axis := one_axis("split", axis, len(shape_of(x)))]
    if isinstance(size_or_sizes, Sequence):
        sizes = ints("split: size_or_sizes", size_or_sizes)
    else:
        size = an_int("split", "size_or_sizes", size_or_sizes)
        if size < 1:
            raise ValueError(f"split: the chunk size must be positive, got {size}")
        sizes = (size,) * (length // size) + ((length % size,) if length % size or not length else ())
    if host.sum(sizes) != length or any(n < 0 for n in sizes):
        raise ValueError(f"split: sizes {sizes} do not sum to the length {length} of axis {axis}")
    return list(joining.split(x, sizes=sizes, axis=axis))


@public
def unstack(x: Iterable[T], axis: int = 0) -> list[T]:
    """Return the slices along an axis as a list: a sequence (T, B, I) becomes its T steps of shape (B, I).

    >>> import tinygrad_seq as ts
    >>> [step.tolist() for step in ts.unstack(ts.eye(2))]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return list(joining.unstack(x, axis=one_axis("unstack", axis, len(shape_of(x)))))
