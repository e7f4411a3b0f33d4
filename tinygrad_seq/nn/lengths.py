"""A batch of sequences of different lengths, padded to one: which of its steps are real.

Padding must never meet arithmetic, for a NaN times nothing is still a NaN, forward and backward. So the input is
cleaned once, before the first step; the state of a row that has ended (or, read in reverse, has not begun) is held as
it is; and the output is zero where nothing was real. Each is a `where`, whose gradient stops there by itself.
"""

from typing import Any

from tinygrad_seq.engine.backend import host, to_device, to_host
from tinygrad_seq.engine.ops.elementwise import where
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.cell import each


def lengths_of(name: str, given: Any, steps: int, batch: int) -> Any:
    """The lengths as a host array of `batch` ints from 0 to `steps`, or an error that names the wrong ones."""
    try:
        lengths = host.asarray(to_host(given.array if isinstance(given, Tensor) else given))
    except (TypeError, ValueError):
        raise TypeError(f"{name}: lengths must be {batch} ints, one for each sequence, got {given!r:.80}") from None
    if lengths.shape != (batch,):
        raise ValueError(f"{name}: lengths must be {batch}, one for each sequence, got the shape {lengths.shape}")
    if batch and lengths.dtype.kind not in "iu":
        raise TypeError(f"{name}: lengths must be ints, got {lengths.dtype}: {lengths.tolist()!r:.80}")
    wrong = {b: n for b, n in enumerate(lengths.tolist()) if not 0 <= n <= steps}
    if wrong:
        found = ", ".join(f"lengths[{b}] is {n}" for b, n in list(wrong.items())[:5])
        raise ValueError(f"{name}: lengths must lie between 0 and the number of steps, {steps}, but {found}")
    return lengths


class Padding:
    """Masks made once per call, on the device of x (T, B, ...): True where a step is real."""

    def __init__(self, lengths: Any, x: Tensor) -> None:
        real = host.arange(len(x))[:, None] < lengths
        masks = to_device(real[:, :, None], x.device)
        self.real = make_tensor(masks)  # (T, B, 1)
        self.steps = [None if row.all() else make_tensor(mask) for row, mask in zip(real, masks)]  # (B, 1), or None
        self.begun = None if lengths.all() else make_tensor(to_device(lengths[:, None] > 0, x.device))  # (B, 1)

    def clean(self, x: Tensor) -> Tensor:
        """x, or an output: zero where nothing is real."""
        return where(over(self.real, x), x, False)  # the least of all dtypes

    def start(self, state: Any) -> Any:
        """The first state, but for rows of length zero, which only pass through: nothing may happen to theirs."""
        begun = self.begun
        return state if begun is None else each(lambda part: where(over(begun, part), part, False), state)

    def step(self, t: int, new: Any, old: Any) -> Any:
        """The state after step t: the new one where the step is real."""
        return new if self.steps[t] is None else chosen(self.steps[t], new, old)

    def end(self, last: Any, first: Any) -> Any:
        """The last state: after the last real step, or the first state where there is none."""
        return last if self.begun is None else chosen(self.begun, last, first)


def chosen(mask: Any, new: Any, old: Any) -> Any:
    """Row by row, and part by part, the one state or the other."""
    return each(lambda n, o: where(over(mask, n), n, o), new, old)


def over(mask: Tensor, value: Tensor) -> Tensor:
    """The mask (..., 1), with as many axes as the value has."""
    more = value.ndim - mask.ndim
    return mask if not more else make_tensor(mask.array.reshape(*mask.shape[:-1], *(1,) * (more + 1)))
