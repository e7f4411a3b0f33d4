"""Cases: the arguments that the laws of an op are tried on, drawn by Hypothesis.

A case is a call without its function: `function(*arrays, **static)`. Gradient laws hold away from kinks and poles, so a
`Fill` gives numbers that suit the op: `positive`, `nonzero`, `distinct`, ...
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq.engine.backend import host

Shape: TypeAlias = tuple[int, ...]
Fill: TypeAlias = Callable[[Any, Shape], Any]  # (NumPy generator, shape) -> array


@dataclass(frozen=True)
class Case:
    """Hold a call without its function: arrays, static keyword arguments, and the seed for what a law draws itself.

    Raises TypeError for arrays that are not in a tuple or list.

    >>> import numpy as np
    >>> Case((np.ones(2),), {"axis": 0})
    Case(arrays=(array([1., 1.]),), static={'axis': 0}, seed=0)
    """

    arrays: tuple[Any, ...]
    static: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.arrays, tuple | list):
            raise TypeError(f"Case: arrays must be a tuple, as in Case((x,)), got {type(self.arrays).__name__}")

    def rng(self, stream: int = 1) -> Any:
        """Return a random generator; none of the streams is the one that the arrays came from."""
        return host.random.default_rng([self.seed, stream])


# ------------------------------------------------------------------------------------------------------------- numbers


def normal(rng: Any, shape: Shape) -> Any:
    """Draw numbers from N(0, 1).

    >>> import numpy as np
    >>> normal(np.random.default_rng(0), (3,)).round(2)
    array([ 0.13, -0.13,  0.64])
    """
    return rng.normal(size=shape)


def positive(rng: Any, shape: Shape) -> Any:
    """Draw numbers between 0.5 and 2.

    >>> import numpy as np
    >>> positive(np.random.default_rng(0), (3,)).round(2)
    array([1.46, 0.9 , 0.56])
    """
    return rng.uniform(0.5, 2.0, shape)


def nonzero(rng: Any, shape: Shape) -> Any:
    """Draw numbers of either sign, between 0.5 and 2 in size.

    >>> import numpy as np
    >>> nonzero(np.random.default_rng(0), (3,)).round(2)
    array([0.56, 0.52, 1.72])
    """
    return rng.choice([-1.0, 1.0], shape) * positive(rng, shape)


def distinct(rng: Any, shape: Shape) -> Any:
    """Draw numbers at least 0.25 apart.

    >>> import numpy as np
    >>> distinct(np.random.default_rng(0), (3,)).round(2)
    array([ 0.26, -0.75, -0.05])
    """
    size = int(host.prod(shape))
    return (rng.permutation(size) - size / 2 + rng.uniform(0.0, 0.5, size)).reshape(shape) * 0.5


def off_grid(shift: float) -> Fill:
    """Return a fill of whole numbers plus shift to shift + 0.25: away from kinks at whole numbers, and other shifts.

    >>> import numpy as np
    >>> off_grid(0.5)(np.random.default_rng(0), (3,)).round(2)
    array([2.51, 0.5 , 0.7 ])
    """
    return lambda rng, shape: rng.integers(-3, 3, shape) + shift + rng.uniform(0.0, 0.25, shape)


# --------------------------------------------------------------------------------------------------------------- cases

seeds = st.integers(0, 2**32 - 1)
shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def filled(sizes: st.SearchStrategy[Sequence[Shape]], /, *fills: Fill, **static: Any) -> st.SearchStrategy[Case]:
    """Return cases of arrays of the drawn shapes, with static arguments that are values or strategies.

    There is a fill for each array; the last one serves the rest, and without any all are `normal`. A case with fewer
    arrays than fills is a ValueError.

    >>> from hypothesis import given
    >>> @given(filled(st.just([(2, 3), (3,)]), normal, axis=st.integers(0, 1)))
    ... def law(case):
    ...     x, y = case.arrays
    ...     assert (x * y).sum(**case.static).ndim == 1
    >>> law()
    """
    drawn = st.fixed_dictionaries({k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in static.items()})

    def made(parts: tuple[int, Sequence[Shape], dict[str, Any]]) -> Case:
        seed, found, static = parts
        if len(fills) > len(found):
            raise ValueError(f"filled: {len(fills)} fills are too many for {len(found)} arrays")
        rng, chosen = host.random.default_rng(seed), [*fills, *(fills[-1:] or (normal,)) * (len(found) - len(fills))]
        arrays = tuple(host.asarray(fill(rng, size)) for fill, size in zip(chosen, found, strict=True))
        return Case(arrays, static, seed)

    return st.tuples(seeds, sizes, drawn).map(made)


def one(fill: Fill = normal, sizes: st.SearchStrategy[Shape] = shapes, /, **static: Any) -> st.SearchStrategy[Case]:
    """Return cases of one array, with up to three axes, or of the shapes given; empty ones among them.

    >>> from hypothesis import given
    >>> @given(one(positive))
    ... def law(case):
    ...     (x,) = case.arrays
    ...     assert (x >= 0.5).all()
    >>> law()
    """
    return filled(sizes.map(lambda size: (size,)), fill, **static)


def together(count: int, *fills: Fill, **static: Any) -> st.SearchStrategy[Case]:
    """Return cases of arrays of different shapes that broadcast, filled as by `filled`.

    >>> import numpy as np
    >>> from hypothesis import given
    >>> @given(together(2, normal, nonzero))
    ... def law(case):
    ...     x, y = case.arrays
    ...     assert np.isfinite(x / y).all()
    >>> law()
    """
    drawn = npst.mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_dims=3, max_side=4)
    return filled(drawn.map(lambda found: found.input_shapes), *fills, **static)
