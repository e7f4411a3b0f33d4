"""What was saved of one parameter's state: all that belongs to it, of the right kind, or an error that says why not."""

from typing import Any

from tinygrad_seq.engine.backend import host, modules, to_device, to_host
from tinygrad_seq.engine.graph import Value
from tinygrad_seq.nn.module import Parameter


def checked_state(
    place: str, i: int, parameter: Parameter, saved: dict[str, Any], memory: tuple[str, ...], together: tuple[str, ...]
) -> dict[str, Any]:
    """Return the saved state of parameter i, its arrays on the parameter's device.

    Raises ValueError for anything that is neither an array of `memory` nor the number of steps `t`, and for some of
    what comes `together` without the rest. Nothing at all is the state before the first step.
    """
    state = dict(saved)
    for name, given in state.items():
        value = given.array if isinstance(given, Value) else given
        array = name in memory and type(value) in modules
        if array and value.shape == parameter.shape and value.dtype.kind == "f":
            state[name] = to_device(host.array(to_host(value)), parameter.device)
        elif name != "t" or type(value) is not int or value < 0:
            what = f"of shape {value.shape}" if getattr(value, "shape", ()) else f"{value!r:.60}"
            raise ValueError(
                f"{place}: {name!r} {what} is not what this optimiser keeps of parameter {i}, of shape "
                f"{parameter.shape}: {', '.join(memory)}"
            )
    if state and (lost := [name for name in together if name not in state]):
        raise ValueError(
            f"{place}: of parameter {i}, of shape {parameter.shape}, there is {', '.join(state)} without "
            f"{', '.join(lost)}: load what state_dict() gave, whole"
        )
    return state
