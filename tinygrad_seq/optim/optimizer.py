"""The base of all optimisers: groups of parameters, their state as plain arrays, and a step that records nothing.

A subclass writes one method, `update`: from a parameter's array, its gradient's array, the dictionary that is this
parameter's state and the options of its group, it computes the new array. The names of the arrays in the state stand
in `memory`.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count, starmap
from typing import Any, ClassVar

from tinygrad_seq.engine import delivery
from tinygrad_seq.engine.arguments import flag
from tinygrad_seq.engine.backend import Array, check_device, host, modules, on_device_of, to_device, to_host
from tinygrad_seq.engine.callers import Constructed, known_arguments, warn
from tinygrad_seq.engine.commit import Change, commit
from tinygrad_seq.engine.hints import package, public
from tinygrad_seq.engine.recording import array_of
from tinygrad_seq.nn.module import Parameter
from tinygrad_seq.optim.fingerprints import check_order, fingerprints
from tinygrad_seq.optim.saved_state import checked_state
from tinygrad_seq.optim.validation import checked_parameters, nonnegative, one_as_list

FLAGS = ("nesterov", "amsgrad", "centered")
FRACTIONS = ("betas", "alpha")  # the weights of running means

Parameters = Iterable[Parameter] | Iterable[dict[str, Any]]  # a list of them, or of groups
Options = dict[str, Any]


def update_all(changes: Iterable[tuple[dict[Any, Any], dict[Any, Any]]]) -> None:
    """Update every dict with its partner in one call of C, as `commit` assigns attributes: all or nothing."""
    deque(starmap(dict.update, list(changes)), maxlen=0)


class Optimizer(Constructed):
    """Hold parameters in groups and move them along their gradients: the base of all optimisers.

    `param_groups` is a list of dicts, as in PyTorch: "params", a list of parameters, and every option of the formula
    (`lr` among them), changeable at any time and checked at the next step. A flat list of parameters is one group. In
    a list of groups each says what differs from `defaults`, the options of the constructor. An option is an attribute,
    too: `optimizer.lr = 0.1` sets it in all groups; reading it is a ValueError where the groups differ. `state` holds
    what the optimiser remembers of a parameter.

    Raises TypeError or ValueError if one is not a Parameter or is given twice, if there are none, and for an option
    that is unknown or out of range.

    >>> import tinygrad_seq as ts
    >>> rnn, head = ts.nn.RNN(2, 3), ts.nn.Linear(3, 1)
    >>> groups = [{"params": rnn.parameters()}, {"params": head.parameters(), "lr": 0.1}]
    >>> optimizer = ts.optim.SGD(groups, lr=0.01, momentum=0.9)
    >>> [group["lr"] for group in optimizer.param_groups], optimizer.momentum
    ([0.01, 0.1], 0.9)
    """

    memory: ClassVar[tuple[str, ...]] = ()  # arrays of the parameter's shape; beside them, `t` counts its steps
    together: ClassVar[tuple[str, ...]] = ()  # what a state has all of from its first step on; the rest as options say
    stepped = False  # whether a step was ever taken: a schedule warns if not
    effective = 0  # how many steps of all optimisers have changed something
    idle: tuple[int, int] | None = None  # (effective, deliveries) at the last step, if that changed nothing

    def __init__(self, parameters: Parameters, **options: Any) -> None:
        name = type(self).__name__
        given: Any = list(parameters) if isinstance(parameters, Iterator) else parameters
        grouped = isinstance(given, list | tuple) and any(isinstance(group, dict) for group in given)
        self.defaults = {option: self.checked(name, option, value) for option, value in options.items()}
        self.param_groups = self.checked_groups(name, [*map(one_as_list, given)] if grouped else [{"params": given}])
        self.state: dict[Parameter, dict[str, Any]] = {}

    def checked(self, place: str, option: str, value: Any) -> Any:
        """Return an option as plain Python; raise an error that says what it should be."""
        if option in FLAGS:
            flag(place, **{option: value})
            return bool(value)
        below = 1.0 if option in FRACTIONS else math.inf
        if option != "betas":
            return nonnegative(place, option, value, below)
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise TypeError(f"{place}: betas must be a tuple of two numbers, got {value!r:.60}")
        return tuple(nonnegative(place, option, beta, below) for beta in value)

    def checked_options(self, place: str, given: Options) -> Options:
        """Return all options of a group, defaults where it gives none; raise for an unknown one."""
        if unknown := [option for option in given if option not in self.defaults]:
            raise ValueError(f"{place}: there is no option {unknown[0]!r}; there are {', '.join(self.defaults)}")
        return {option: self.checked(place, option, value) for option, value in {**self.defaults, **given}.items()}

    def checked_groups(self, place: str, groups: list[Any]) -> list[dict[str, Any]]:
        """Return complete groups, new dicts, of parameters that are in one of them only; raise for anything else."""
        found, homes = [], dict[int, int]()
        for number, group in enumerate(groups):
            here = f"{place}: group {number}" if len(groups) > 1 else place
            if not isinstance(group, dict):
                raise TypeError(f"{here} must be a dict with 'params', got {type(group).__name__}")
            if "params" not in group:
                raise ValueError(f"{here} has no 'params', only {sorted(map(str, group))}")
            options = dict(group)
            params = options.pop("params")
            if isinstance(params, set | frozenset):  # its order differs from run to run, and state goes by position
                raise TypeError(f"{here}: a set has no order, pass the parameters in a list")
            params = checked_parameters(here, params)
            if not params:
                raise ValueError(
                    f"{here}: there are no parameters to optimise (python -m tinygrad_seq explain plain-list)"
                )
            for i, parameter in enumerate(params):
                if id(parameter) in homes:
                    there = "there twice" if (home := homes[id(parameter)]) == number else f"in group {home} already"
                    raise ValueError(f"{here}: parameter {i} is {there}: it would be moved twice as far")
                homes[id(parameter)] = number
            found.append({"params": params, **self.checked_options(here, options)})
        return found

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, a dict as `param_groups` has them; options that it leaves out are the constructor's.

        Raises TypeError or ValueError, and adds nothing, if it is not such a dict, if an option is unknown or out of
        range, or if one of its parameters is in another group.

        >>> import tinygrad_seq as ts
        >>> optimizer = ts.optim.SGD([ts.nn.Parameter([1.0])], lr=0.5)
        >>> optimizer.add_param_group({"params": [ts.nn.Parameter([2.0])], "lr": 0.25})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.5, 0.25]
        """
        place = f"{type(self).__name__}.add_param_group"
        self.param_groups.append(self.checked_groups(place, [*self.param_groups, one_as_list(param_group)])[-1])

    @property
    def parameters(self) -> list[Parameter]:
        """Return the parameters of all groups, in order."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self) -> str:
        options = [", ".join(f"{k}={v!r}" for k, v in group.items() if k != "params") for group in self.param_groups]
        return f"{type(self).__name__}({'; '.join(dict.fromkeys(options))})"

    def __getattr__(self, option: str) -> Any:
        """Return an option, which all groups share; ValueError where they differ."""
        name, defaults = type(self).__name__, vars(self).get("defaults", {})
        if option not in defaults:
            raise self.no_option(option)
        values = [self.checked(name, option, group.get(option, defaults[option])) for group in self.param_groups]
        if any(value != values[0] for value in values):
            raise ValueError(f"{name}: {option} is {values} in the groups: read optimizer.param_groups[i][{option!r}]")
        return values[0]

    def __setattr__(self, name: str, value: Any) -> None:
        own, ours = vars(self), type(self).__module__.partition(".")[0] == package  # others keep what they like
        if name in own.get("defaults", {}):
            option = {name: self.checked(type(self).__name__, name, value)}
            return update_all((group, option) for group in self.param_groups)
        if ours and "state" in own and name not in own and not hasattr(type(self), name):
            raise self.no_option(name)
        object.__setattr__(self, name, value)

    def no_option(self, name: str) -> AttributeError:
        """Return the error for a name that is no attribute and no option."""
        options = ", ".join(vars(self).get("defaults", {}))
        return AttributeError(f"{type(self).__name__} has no attribute and no option {name!r}, its options: {options}")

    @public
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters: their `.grad` is None.

        >>> import tinygrad_seq as ts
        >>> w = ts.nn.Parameter([1.0])
        >>> (w * w).sum().backward()
        >>> ts.optim.SGD([w]).zero_grad()
        >>> w.grad is None
        True
        """
        commit((parameter, "stored_grad", None) for parameter in self.parameters)

    @known_arguments
    def step(self) -> None:
        """Give every parameter that has a gradient its new value: all of them, or an error and none.

        Raises TypeError or ValueError for an option in `param_groups` that is out of range. Warns of a gradient that an
        earlier step has used already, and if a backward gave none of these parameters a gradient.

        >>> import tinygrad_seq as ts
        >>> w = ts.nn.Parameter([1.0])
        >>> (w * w).sum().backward()
        >>> ts.optim.SGD([w], lr=0.25).step()  # 1 - 0.25 * 2
        >>> w.item()
        0.5
        """
        changes: list[Change] = []
        states = dict(self.state)
        groups = self.current_groups()
        for i, (parameter, o) in enumerate((parameter, group) for group in groups for parameter in group["params"]):
            if parameter.grad is not None:
                x, state = parameter.array, dict(states.get(parameter, {}))
                place, which = f"{type(self).__name__}.step", f"the gradient of parameter {i}"
                check_device(place, which, parameter.grad.array, "the parameter", x)
                with on_device_of(x):
                    for name in state.keys() & set(self.memory):  # state follows a parameter that was moved or cast
                        kept = to_device(state[name], parameter.device)
                        state[name] = kept if kept.dtype == x.dtype else kept.astype(x.dtype)
                    new = array_of(self.update(*self.decayed(x, parameter.grad.array, o), state, o))
                if type(new) is not type(x) or (new.shape, new.dtype) != (x.shape, x.dtype):
                    raise TypeError(
                        f"{type(self).__name__}: update must give parameter {i} an array of {x.dtype} {x.shape}, "
                        f"got {type(new).__name__} {getattr(new, 'dtype', '')} {getattr(new, 'shape', '')}"
                    )
                check_device(place, f"the new value of parameter {i}", new, "the parameter", x)
                changes += (parameter, "array", new), (parameter.grad, "used", "step")
                states[parameter] = state
        delivery.warn_if_stale(f"{type(self).__name__}.step", [change[0] for change in changes[1::2]])
        if changes:
            Optimizer.effective += 1
        idle = None if changes else (Optimizer.effective, delivery.deliveries)
        if idle and self.idle and idle[0] == self.idle[0] and idle[1] > self.idle[1]:  # no other one steps meanwhile
            warn(
                f"{type(self).__name__}.step: backward was called, but no parameter here has a gradient: give the "
                "optimiser the parameters of the model that is trained, and call zero_grad before backward "
                "(python -m tinygrad_seq explain step-changes-nothing)"
            )
        commit([*changes, (self, "state", states), (self, "idle", idle), (self, "stepped", True)])

    def current_groups(self) -> list[dict[str, Any]]:
        """Return the groups as the next step reads them."""
        return self.checked_groups(type(self).__name__, self.param_groups)

    def decayed(self, x: Array, g: Array, o: Options) -> tuple[Array, Array]:
        """Return x and g + weight_decay * x: the gradient of weight_decay * |x|^2 / 2 is added."""
        decay = o.get("weight_decay")
        return (x, g + decay * x) if decay else (x, g)

    def update(self, x: Array, g: Array, state: dict[str, Any], o: Options) -> Array:
        """Return the new array by the formula with the options `o`; x and g must stay as they are."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return groups, state and whose state it is, as plain values and host arrays, for `ts.save`.

        In the groups a number stands for each parameter: its position in 'state' and in 'parameters'.

        >>> import tinygrad_seq as ts
        >>> ts.optim.SGD([ts.nn.Parameter([1.0])], lr=0.5).state_dict()["param_groups"][0]["lr"]
        0.5
        """
        numbers = count()
        groups = [{**group, "params": [next(numbers) for _ in group["params"]]} for group in self.param_groups]
        states = [self.state.get(parameter, {}) for parameter in self.parameters]
        state = [{key: host.array(to_host(v)) if type(v) in modules else v for key, v in s.items()} for s in states]
        return {"param_groups": groups, "state": state, "parameters": fingerprints(self.parameters)}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a state_dict of the same optimiser over the same parameters: all of it, or an error and nothing.

        State goes to the parameters by position, so it is refused if their groups, names or shapes have changed, or if
        their values are the saved ones in another order. A state without 'parameters', as version 0.1.0 saved it, is
        taken as it is, and one with 'options' is of one group. Raises ValueError or TypeError that names what does not
        fit.

        >>> import tinygrad_seq as ts
        >>> w = ts.nn.Parameter([1.0])
        >>> optimizer = ts.optim.SGD([w], lr=0.25)
        >>> optimizer.load_state_dict(ts.optim.SGD([w], lr=0.5).state_dict())
        >>> optimizer.lr
        0.5
        """
        place = f"{type(self).__name__}.load_state_dict"
        try:
            kept = [dict(state) for state in saved["state"]]
            groups = "options" if "options" in saved else "param_groups"  # one group, before there were several
            one = [{**saved[groups], "params": range(len(kept))}] if groups == "options" else saved[groups]
            given = [dict(group) for group in one]
            numbers = [list(group.pop("params")) for group in given]
            saved_as = [[name, list(shape), int(checksum)] for name, shape, checksum in saved.get("parameters", ())]
            in_order = [number for group in numbers for number in group] == list(range(len(kept)))
            known = saved.keys() - {"parameters"} == {groups, "state"}
            if not known or not in_order or len(saved_as) not in (0, len(kept)):
                raise KeyError
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise ValueError(f"{place}: expected what state_dict() gives, with 'param_groups' and 'state'") from None
        sizes, ours = [len(group) for group in numbers], [len(group["params"]) for group in self.param_groups]
        if sizes != ours:
            raise ValueError(f"{place}: the state is for groups of {sizes} parameters, this optimiser has {ours}")
        for group in given:
            if group.keys() != self.defaults.keys():
                raise ValueError(f"{place}: the options are {sorted(group)}, expected {sorted(self.defaults)}")
        check_order(place, self.parameters, saved_as)
        options = [self.checked_options(place, options) for options in given]
        states = [
            checked_state(place, i, parameter, state, self.memory, self.together)
            for i, (parameter, state) in enumerate(zip(self.parameters, kept, strict=True))
        ]
        update_all([(self.state, dict(zip(self.parameters, states))), *zip(self.param_groups, options)])
