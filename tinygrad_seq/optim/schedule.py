"""Schedules: the learning rates as functions of time, PyTorch's formulas in closed form.

A schedule remembers the rate that each group had when it was made and how often it was asked to step; all else follows.
Where another rate is set meanwhile, by hand or by a second schedule, it goes on from that one, as in PyTorch.

Call its `step` after the optimiser's, once an epoch or once an update. In the other order the first rate is never used:
that gives a warning.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_seq.engine.callers import Constructed, known_arguments, warn
from tinygrad_seq.optim.optimizer import Optimizer, update_all
from tinygrad_seq.optim.validation import nonnegative, power

TIMES = ("t", "step_size", "T_max")
LONGEST = 2.0**53  # from here on, floats do not hold every whole number


class Schedule(Constructed):
    """Base of all schedules: a subclass defines `rate`, a learning rate from its start and the options, and `onward`.

    Several schedules of one optimiser are chained, as in PyTorch: each changes the rate that it finds. Only a LambdaLR,
    which knows no rate but its start, sets its own whatever is there.

    Raises TypeError if `optimizer` is not an Optimizer, TypeError or ValueError for an option that is out of range.
    """

    base_lrs = property(lambda self: list(self.of_all_groups()["start"]))
    last_epoch = property(lambda self: self.options["t"])

    def __init__(self, optimizer: Optimizer, **options: float) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an optimiser, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.options = self.checked({"start": self.get_last_lr(), "t": 0, **options})

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options, rates as floats and times as ints; raise for anything else. Only the time t may be 0."""
        name, found, groups = type(self).__name__, dict[str, Any](), len(self.optimizer.param_groups)
        for option, value in options.items():
            if option == "start":  # version 0.1.0 knew only one group
                starts = value if isinstance(value, list | tuple) else [value]
                found[option] = tuple(nonnegative(name, option, start) for start in starts)
                if len(starts) != groups:
                    raise ValueError(f"{name}: made for {len(starts)} group(s), but the optimiser has {groups}")
            elif option in TIMES:
                found[option] = int(nonnegative(name, option, value, LONGEST))
                if value != found[option] or (value == 0 and option != "t"):
                    raise ValueError(f"{name}: {option} must be a positive whole number, got {value!r}")
            else:
                found[option] = nonnegative(name, option, value)
        return found

    def rate(self, start: float, o: dict[str, Any]) -> float:
        """Return the learning rate that belongs to a start and to the options, the time `o["t"]` among them."""
        raise NotImplementedError

    def onward(self, lr: float, start: float, o: dict[str, Any]) -> float:
        """Return the learning rate at a time after that of another hand at the time before: PyTorch's recursion."""
        raise NotImplementedError

    def rates(self, o: dict[str, Any]) -> list[float]:
        """Return the next learning rate of every group: by `rate` if it has that of the time before, else `onward`."""
        before, found = {**o, "t": o["t"] - 1}, []
        for lr, start in zip(self.get_last_lr(), o["start"]):
            lr = nonnegative(type(self).__name__, "the learning rate that is set", lr)
            alone = math.isclose(lr, self.rate(start, before))
            found.append(self.rate(start, o) if alone else self.onward(lr, start, o))
        return found

    def go_to(self, options: dict[str, Any]) -> None:
        """Take these options and set the learning rates that belong to them: all, or an error and nothing."""
        name, groups = type(self).__name__, self.optimizer.param_groups
        rates = [{"lr": nonnegative(name, "the next learning rate", rate)} for rate in self.rates(options)]
        update_all([(self.options, options), *zip(groups, rates)])

    @known_arguments
    def step(self) -> None:
        """Add 1 to the time and set the optimiser's learning rates; warn if the optimiser has not stepped yet.

        Raises ValueError, and changes nothing, where the next learning rate is not finite.

        >>> import tinygrad_seq as ts
        >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
        >>> schedule = ts.optim.ExponentialLR(optimizer, gamma=0.5)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr(), schedule.state_dict()
        ([4.0], {'start': (8.0,), 't': 1, 'gamma': 0.5})
        """
        name, t = type(self).__name__, self.options["t"]
        if t == 0 and not self.optimizer.stepped:
            warn(f"{name}: step the optimiser first, or its first learning rate is skipped")
        self.go_to(self.checked({**self.of_all_groups(), "t": t + 1}))

    def get_last_lr(self) -> list[float]:
        """Return the learning rates that are set now, one for each group, as in PyTorch."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the time and the options, for `ts.save`; the learning rates are in the optimiser's state."""
        return self.of_all_groups()

    def of_all_groups(self) -> dict[str, Any]:
        """Return the options; a group that was added after the schedule was made starts from the rate it has now."""
        known = self.options["start"]
        return {**self.options, "start": (*known, *self.get_last_lr()[len(known) :])}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of the same kind of schedule: all of it, or an error and nothing.

        Load the optimiser's state, too, after the schedule was made: the learning rates are set from there. Raises
        ValueError or TypeError for a state of other options or of another number of groups.

        >>> import tinygrad_seq as ts
        >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
        >>> schedule = ts.optim.ExponentialLR(optimizer, gamma=0.5)
        >>> schedule.load_state_dict({"start": [8.0], "t": 3, "gamma": 0.5})
        >>> schedule.state_dict()["t"]
        3
        """
        if not isinstance(saved, dict) or saved.keys() != self.options.keys():
            name, given = type(self).__name__, sorted(saved) if isinstance(saved, dict) else type(saved).__name__
            raise ValueError(f"{name}.load_state_dict: the state is {given}, expected {sorted(self.options)}")
        self.options = self.checked(saved)


class StepLR(Schedule):
    """Set lr = start * gamma^floor(t / step_size): a drop every `step_size` steps. `step_size` is at least 1.

    >>> import tinygrad_seq as ts
    >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
    >>> schedule = ts.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     schedule.step()
    >>> optimizer.lr
    2.0
    """

    step_size = property(lambda self: self.options["step_size"])
    gamma = property(lambda self: self.options["gamma"])

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def rate(self, start: float, o: dict[str, Any]) -> float:
        return start * power(o["gamma"], o["t"] // o["step_size"])

    def onward(self, lr: float, start: float, o: dict[str, Any]) -> float:
        return lr if o["t"] % o["step_size"] else float(lr * o["gamma"])


class ExponentialLR(Schedule):
    """Set lr = start * gamma^t: the same factor at every step.

    >>> import tinygrad_seq as ts
    >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
    >>> schedule = ts.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     schedule.step()
    >>> optimizer.lr
    1.0
    """

    gamma = property(lambda self: self.options["gamma"])

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, gamma=gamma)

    def rate(self, start: float, o: dict[str, Any]) -> float:
        return start * power(o["gamma"], o["t"])

    def onward(self, lr: float, start: float, o: dict[str, Any]) -> float:
        return float(lr * o["gamma"])


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

    T_max = property(lambda self: self.options["T_max"])
    eta_min = property(lambda self: self.options["eta_min"])

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 (PyTorch's name)
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def rate(self, start: float, o: dict[str, Any]) -> float:
        return float(o["eta_min"] + (start - o["eta_min"]) * (1 + math.cos(math.pi * o["t"] / o["T_max"])) / 2)

    def onward(self, lr: float, start: float, o: dict[str, Any]) -> float:
        lowest, t, length = float(o["eta_min"]), o["t"], o["T_max"]
        if (t - 1) % (2 * length) == length:  # up from the lowest, from where no factor leads
            return lr + self.rate(start, o) - lowest
        factor = (1 + math.cos(math.pi * t / length)) / (1 + math.cos(math.pi * (t - 1) / length))
        return lowest + (lr - lowest) * factor


class LambdaLR(Schedule):
    """Set lr = start * lr_lambda(t), with a function for all groups or a list of one for each; at once for t = 0.

    As in PyTorch the rates are set when the schedule is made, so a warm-up begins low. A state has the time and the
    starts, not the functions, which are code: pass the same ones again. Of several schedules of one optimiser make and
    step it first, for it takes no notice of what others have set. Raises TypeError or ValueError, and changes nothing,
    where a factor is not a finite number of at least 0.

    >>> import tinygrad_seq as ts
    >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=8.0)
    >>> schedule = ts.optim.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 4))
    >>> optimizer.lr
    2.0
    >>> optimizer.step()
    >>> schedule.step()
    >>> optimizer.lr
    4.0
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        super().__init__(optimizer)
        functions: Any = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda]
        if not all(map(callable, functions)):
            raise TypeError(f"LambdaLR: lr_lambda must be a function of t or a list of them, got {lr_lambda!r:.60}")
        self.lr_lambdas = functions
        self.go_to(self.options)

    def rates(self, o: dict[str, Any]) -> list[float]:
        functions, groups = self.lr_lambdas, len(o["start"])
        if len(functions) not in (1, groups):
            raise ValueError(f"LambdaLR: {len(functions)} functions, but the optimiser has {groups} group(s)")
        functions = functions * groups if len(functions) == 1 else functions
        factors = [nonnegative("LambdaLR", f"lr_lambda({o['t']})", f(o["t"])) for f in functions]
        return [start * factor for start, factor in zip(o["start"], factors)]
