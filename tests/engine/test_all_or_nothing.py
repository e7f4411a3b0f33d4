"""All or nothing: whatever changes many things at once, Ctrl-C leaves all of them new or all of them old.

A trace function raises one KeyboardInterrupt at each moment in turn: at every line that runs in the files that change
something, and at every call and return there. Which of them come before the change is for the code to decide.
"""

import copy
import inspect
import sys
import threading
from functools import partial
from itertools import count
from pathlib import Path

import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

package = Path(ts.__file__).parent
COUNTED = ("named_at", "deliveries")  # in all networks together
FILES = "engine/commit engine/delivery engine/random nn/module optim/optimizer optim/schedule optim/clipping"
CHANGING = {str(package / f"{name}.py") for name in FILES.split()}


def plain(thing):
    """What a model, an optimiser or a schedule holds, as something that can be compared."""
    if isinstance(thing, ts.Tensor):
        return plain([thing.array, None if thing.grad is None else thing.grad.array, thing.node.dtype, thing.name])
    if hasattr(thing, "tobytes"):  # an array of any device
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, dict):
        named = {i if isinstance(key, ts.Tensor) else key: value for i, (key, value) in enumerate(thing.items())}
        return {key: plain(value) for key, value in named.items() if key not in COUNTED}
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    return plain(vars(thing)) if hasattr(thing, "__dict__") else thing


def interrupted(act, moment):
    """Run it, with a KeyboardInterrupt at that moment; whether there was one."""
    left = iter(range(moment))

    def trace(frame, _event, _argument):
        code = frame.f_code
        if code.co_filename not in CHANGING or code.co_flags & inspect.CO_GENERATOR:
            return None  # generators here only go through the parts
        if next(left, None) is None:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def network():
    """A network that learned for a step, its optimiser and schedule, and gradients for the next one."""
    ts.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.0), nn.Linear(3, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.5)
    schedule = optim.StepLR(optimizer, step_size=1)
    for _ in range(2):
        optimizer.zero_grad()
        model(ts.ones(4, 2)).sum().backward()
        optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    model(ts.ones(4, 2)).sum().backward()
    return model, optimizer, schedule


def states():
    """The states of the same three after more training."""
    model, optimizer, schedule = network()
    optimizer.eps = 0.5
    optimizer.step()
    schedule.step()
    return [part.state_dict() for part in (model, optimizer, schedule)]


LATER = states()
ACTS = {
    "backward": lambda model, _, __: model(ts.ones(4, 2)).sum().backward,
    "recorded backward": lambda model, _, __: partial(model(ts.ones(4, 2)).sum().backward, create_graph=True),
    "Optimizer.step": lambda _, optimizer, __: optimizer.step,
    "Optimizer.zero_grad": lambda _, optimizer, __: optimizer.zero_grad,
    "Optimizer.load_state_dict": lambda _, optimizer, __: partial(optimizer.load_state_dict, LATER[1]),
    "Schedule.step": lambda _, __, schedule: schedule.step,
    "Schedule.load_state_dict": lambda _, __, schedule: partial(schedule.load_state_dict, LATER[2]),
    "Module.load_state_dict": lambda model, _, __: partial(model.load_state_dict, LATER[0]),
    "Module.to": lambda model, _, __: partial(model.to, "float64"),
    "Module.eval": lambda model, _, __: model.eval,
    "Module.zero_grad": lambda model, _, __: model.zero_grad,
    "clip_grad_norm_": lambda model, _, __: partial(optim.clip_grad_norm_, list(model.parameters()), 0.01),
    "clip_grad_value_": lambda model, _, __: partial(optim.clip_grad_value_, list(model.parameters()), 0.01),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_interrupt_leaves_all_old_or_all_new(name):
    made = network()
    old = plain(made)
    ACTS[name](*made)()
    new = plain(made)
    assert new != old
    seen, made = [], network()
    for moment in count():
        struck = interrupted(ACTS[name](*made), moment)
        left = plain(made)
        assert left in (old, new), f"{name}: half done after moment {moment}"
        seen.append(left == old)
        if not struck:
            break
        if left == new:
            made = network()
    assert seen[0] and not seen[-1] and seen == sorted(seen, reverse=True)
    other = threading.Thread(target=ACTS[name](*network()), daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive(), "an interrupt left a lock behind"


@pytest.mark.parametrize("act", [lambda state: ts.set_rng_state(state), lambda state: ts.manual_seed(5)])
def test_an_interrupt_leaves_the_generator_as_it_was_or_as_it_was_told(act):
    ts.manual_seed(3)
    other_state = copy.deepcopy(ts.get_rng_state())
    ts.manual_seed(1)
    old = ts.get_rng_state()
    act(other_state)
    new = ts.get_rng_state()
    for moment in count():
        ts.set_rng_state(old)
        struck = interrupted(lambda: act(other_state), moment)
        assert ts.get_rng_state() in (old, new)
        if not struck:
            break
    assert ts.get_rng_state() == new != old and moment > 3
