"""A batch of sequences of different lengths, padded to one length: which of its steps are real.

Padding must not enter any arithmetic: NaN times 0 is still NaN, forward and backward. So the input is set to zero there
once, before the first step; the state of a row that has ended (or, read in reverse, has not begun) stays as it is; and
the output is zero where nothing was real. Each is a `where`, whose gradient stops there by itself.
"""

from typing import Any

from tinygrad_seq.engine.backend import check_device, device_of, host, is_traced, modules, on_device_of, to_device
from tinygrad_seq.engine.ops.elementwise import where
from tinygrad_seq.engine.recording import make_tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.nn.state import State, each, read_as


def without_padding(name: str, lengths: Any, x: Tensor) -> "tuple[Tensor, PaddingMask | None]":
    """Return x (T, B, ...) with zeros in its padding, and the mask; x itself and None where every step is real."""
    if lengths is None:
        return x, None
    found, full = checked_lengths(name, lengths, x)
    if full:
        return x, None
    mask = PaddingMask(found, x)
    return mask.zero_padding(x), mask


def checked_lengths(name: str, given: Any, x: Tensor) -> tuple[Any, bool]:
    """Return the lengths of x (T, B, ...) as an array of B ints, and whether all are T; raise unless each is 0 to T.

    They are on the host, or where x is: then one number from the device answers both.
    """
    steps, batch = x.shape[:2]
    array = given.array if isinstance(given, Tensor) else given
    try:
        lengths = array if type(array) in modules else host.asarray(array)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: lengths must be {batch} ints, one for each sequence, got {given!r:.80}") from None
    if lengths.shape != (batch,):
        hint = f", {read_as(steps, batch)}" if lengths.shape == (steps,) else ""
        raise ValueError(f"{name}: lengths must be {batch}, one for each sequence, got the shape {lengths.shape}{hint}")
    if batch and lengths.dtype.kind not in "iu":
        raise TypeError(f"{name}: lengths must be ints, got {lengths.dtype}: {lengths.tolist()!r:.80}")
    if device_of(lengths) != "cpu":
        check_device(name, "lengths", lengths, "x", x.array)
    with on_device_of(lengths):
        outside = (lengths < 0) | (lengths > steps)
        answer = int(outside.any() + 2 * (lengths == steps).all())
    if answer % 2:
        wrong = [f"lengths[{b}] is {length}" for b, length in enumerate(lengths.tolist()) if not 0 <= length <= steps]
        found = ", ".join(wrong[:5])
        raise ValueError(f"{name}: lengths must lie between 0 and the number of steps, {steps}, but {found}")
    return lengths, answer > 1


class PaddingMask:
    """Hold masks of x (T, B, ...), True where a step is real; they are made once per call, on the device of x."""

    def __init__(self, lengths: Any, x: Tensor) -> None:
        xp = modules[type(lengths)]
        here = xp is host  # on a GPU, to ask whether all rows of a step are real would be to wait for the answer
        with on_device_of(lengths):
            real = xp.arange(len(x))[:, None] < lengths
            begun = None if here and lengths.all() else to_device(lengths[:, None] > 0, x.device)  # (B, 1)
        masks = to_device(real[:, :, None], x.device)
        if is_traced(x.array):  # a program has one loop for all steps
            masks, here = modules[type(x.array)].asarray(masks), False
        self.real = make_tensor(masks)  # (T, B, 1)
        self.steps = [None if here and row.all() else make_tensor(mask) for row, mask in zip(real, masks)]  # (B, 1)
        self.begun = None if begun is None else make_tensor(begun)

    def zero_padding(self, x: Tensor) -> Tensor:
        """Return x, or an output, with zeros where nothing is real."""
        return where(expanded(self.real, x), x, False)  # False: the zero that widens no dtype

    def first_state(self, state: State) -> State:
        """Return the first state with zeros in the rows of length 0: the cell computes these rows, too."""
        begun = self.begun
        return state if begun is None else each(lambda part: where(expanded(begun, part), part, False), state)

    def next_state(self, t: int, new: State, old: State) -> State:
        """Return the state after step t: in each row the new one if the step is real, else the old one."""
        return new if self.steps[t] is None else select(self.steps[t], new, old)

    def last_state(self, last: State, first: State) -> State:
        """Return the state after the last real step: in a row of length 0, the first state as it was given."""
        return last if self.begun is None else select(self.begun, last, first)


def select(mask: Any, new: State, old: State) -> State:
    """Return the rows of one state where the mask is True, and those of the other elsewhere."""
    return each(lambda n, o: where(expanded(mask, n), n, o), new, old)


def expanded(mask: Tensor, value: Tensor) -> Tensor:
    """Return a mask (..., 1) with as many axes as a value has."""
    more = value.ndim - mask.ndim
    return mask if not more else make_tensor(mask.array.reshape(*mask.shape[:-1], *(1,) * (more + 1)))
