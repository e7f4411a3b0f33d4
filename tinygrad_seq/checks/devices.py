"""A model run on two devices: do both give the same gradients?"""

from copy import deepcopy
from typing import Any

from tinygrad_seq.engine.backend import existing_device, host
from tinygrad_seq.engine.callers import known_arguments
from tinygrad_seq.engine.device import device as made_on
from tinygrad_seq.engine.random import drawn_again, get_rng_state
from tinygrad_seq.engine.tensor import Tensor


@known_arguments
def compare_devices(model: Any, *batch: Any, device: str = "cuda") -> dict[str, float]:
    """Run a model forward and backward on the CPU and on another device, and compare the gradients of its parameters.

    The loss is what `model(*batch)` returns if that is one number, else the mean square of all floating numbers in it.
    Both runs begin with the same weights and draw the same random numbers; what the model makes without `device=` is
    made where it runs; the model and its `.grad` stay as they are.
    Prints a line for each parameter and returns, by name, max |g_cpu − g_device| / max |g_cpu|: with float32 about
    1e-6 for a small network. `batch`: what the model takes; Tensors are moved, also those in tuples, lists and dicts.

    Raises TypeError if `model` is not a Module or its outputs require no gradient; ValueError for an unknown device,
    RuntimeError if there is no such device.

    >>> import tinygrad_seq as ts
    >>> from tinygrad_seq import nn
    >>> ts.compare_devices(nn.Linear(2, 1), ts.ones(3, 2), device="cpu")
    weight  (1, 2)  0
    bias    (1,)    0
    {'weight': 0.0, 'bias': 0.0}
    """
    if not hasattr(model, "named_parameters"):
        raise TypeError(f"compare_devices: expected a Module, got {type(model).__name__} {model!r:.60}")
    device = existing_device(device, "compare_devices: ")
    state = get_rng_state()
    found = []
    for place in ("cpu", device):
        twin = deepcopy(model).to(place)
        twin.zero_grad()
        with drawn_again(state), made_on(place):
            loss_of(twin(*moved(batch, place))).backward()
        found.append({name: parameter.grad for name, parameter in twin.named_parameters()})
    errors: dict[str, float] = {}
    for name, there in found[1].items():
        here = found[0][name]
        if here is not None and there is not None:
            a, b = here.numpy(), there.numpy()
            largest = float(host.abs(a).max(initial=0.0))
            errors[name] = float(host.abs(a - b).max(initial=0.0)) / (largest or 1.0)
    rows = [(name, str(found[0][name].shape), f"{error:.2g}") for name, error in errors.items()]
    names, shapes = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    for name, shape, error in rows:
        print(f"{name:{names}}  {shape:{shapes}}  {error}")
    return errors


def moved(x: Any, place: str) -> Any:
    """Return x with all Tensors in it on a device, and without their history."""
    if isinstance(x, Tensor):
        return x.detach().to(place)
    if isinstance(x, dict):
        return {key: moved(part, place) for key, part in x.items()}
    if isinstance(x, tuple | list):
        parts = [moved(part, place) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


def loss_of(output: Any) -> Tensor:
    """Return one number of what a model has returned."""
    stack, found = [output], []
    while stack:
        value = stack.pop()
        if isinstance(value, dict | list | tuple):
            stack += value.values() if isinstance(value, dict) else value
        elif isinstance(value, Tensor) and value.requires_grad:
            found.append(value)
    if not found:
        raise TypeError(
            "compare_devices: the model must return Tensors that require a gradient, outside of ts.no_grad; got "
            f"{type(output).__name__} {output!r:.60}"
        )
    if len(found) == 1 and found[0].size == 1:
        return found[0].sum()
    squares = [(value * value).mean() for value in found]
    return sum(squares[1:], squares[0])
