"""Schedules: the learning rate as a function of time, PyTorch's formulas in closed form.

A schedule remembers the rate that its optimiser began with and how often it was asked to step; all else follows.
Call its `step` after the optimiser's, once an epoch or once an update. In the other order the first rate is never used:
that gives a warning.
"""

import math
import warnings
from copy import copy
from typing import Any

from tinygrad_seq.engine.commit import commit
from tinygrad_seq.optim.optimizer import Optimizer
from tinygrad_seq.optim.validation import nonnegative


class Schedule:
    """Base of all schedules: a subclass defines `rate`, the learning rate at time t."""

    def __init__(self, optimizer: Optimizer, **options: float) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an optimiser, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.options = self.checked({"start": optimizer.lr, "t": 0, **options})

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options, rates as floats and times as ints; raise for nonsense. Only the time t may be 0."""
        name, found = type(self).__name__, {}
        for option, value in options.items():
            found[option] = nonnegative(name, option, value)
            if option in ("t", "step_size", "T_max"):
                found[option] = int(value)
                if value != found[option] or (value == 0 and option != "t"):
                    raise ValueError(f"{name}: {option} must be a positive whole number, got {value!r}")
        return found

    def rate(self) -> float:
        """Return the learning rate at time t, from the options."""
        raise NotImplementedError

    def step(self) -> None:
        """Add 1 to the time and set the optimiser's learning rate; warn if the optimiser has not stepped yet."""
        name, optimizer, ahead = type(self).__name__, self.optimizer, copy(self)
        if self.options["t"] == 0 and not optimizer.stepped:
            warnings.warn(f"{name}: step the optimiser first, or its first learning rate is skipped", stacklevel=2)
        ahead.options = {**self.options, "t": self.options["t"] + 1}
        try:
            rate = optimizer.checked("lr", ahead.rate())
        except (OverflowError, ValueError):
            raise ValueError(f"{name}: the next learning rate would not be a finite number") from None
        commit([(self, "options", ahead.options), (optimizer, "options", {**optimizer.options, "lr": rate})])

    def get_last_lr(self) -> list[float]:
        """Return the learning rate that is set now, in a list, as in PyTorch."""
        return [self.optimizer.lr]

    def state_dict(self) -> dict[str, Any]:
        """Return the time and the options, for `ts.save`; the learning rate itself is in the optimiser's state."""
        return dict(self.options)

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of the same kind of schedule: all of it, or an error and nothing."""
        if not isinstance(saved, dict) or saved.keys() != self.options.keys():
            name, given = type(self).__name__, sorted(saved) if isinstance(saved, dict) else type(saved).__name__
            raise ValueError(f"{name}.load_state_dict: the state is {given}, expected {sorted(self.options)}")
        self.options = self.checked(saved)


class StepLR(Schedule):
    """Set lr = start * gamma^floor(t / step_size): a drop every `step_size` steps.

    >>> import tinygrad_seq as ts
    >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
    >>> schedule = ts.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     schedule.step()
    >>> optimizer.lr
    2.0
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def rate(self) -> float:
        o = self.options
        return float(o["start"] * o["gamma"] ** (o["t"] // o["step_size"]))


class CosineAnnealingLR(Schedule):
    """Set lr = eta_min + (start - eta_min) * (1 + cos(pi t / T_max)) / 2.

    From the start down to `eta_min` in `T_max` steps, and up again if you go on (Loshchilov and Hutter, 2017, without
    restarts).

    >>> import tinygrad_seq as ts
    >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
    >>> schedule = ts.optim.CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> schedule.step()
    >>> round(optimizer.lr, 6)
    4.0
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 (PyTorch's name)
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def rate(self) -> float:
        o = self.options
        return float(o["eta_min"] + (o["start"] - o["eta_min"]) * (1 + math.cos(math.pi * o["t"] / o["T_max"])) / 2)
