"""Groups of parameters: one optimiser over several groups is several optimisers, each with its own options.

An option is written in a group or, as an attribute of the optimiser, in all of them; either is meant from then on.
"""

import copy
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

rates, decays, flags = st.floats(1e-4, 0.5), st.sampled_from([0.0, 0.01, 0.3]), st.booleans()
OPTIONS = {
    "SGD": {"lr": rates, "momentum": st.sampled_from([0.5, 0.9]), "weight_decay": decays, "nesterov": flags},
    "Adam": {"lr": rates, "betas": st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)), "weight_decay": decays,
             "amsgrad": flags},
    "AdamW": {"lr": rates, "eps": rates, "weight_decay": decays},
    "RMSprop": {"lr": rates, "alpha": st.floats(0.1, 0.9), "momentum": decays, "centered": flags},
    "Adagrad": {"lr": rates, "lr_decay": decays, "initial_accumulator_value": rates},
}  # fmt: skip
each = pytest.mark.parametrize("name", OPTIONS)


def twins(rng, data):
    """The parameters of two to three groups, and the same again."""
    sizes = data.draw(st.lists(st.integers(1, 2), min_size=2, max_size=3))
    groups = [[nn.Parameter(rng.normal(size=(2, 3))) for _ in range(size)] for size in sizes]
    return groups, [[nn.Parameter(p.numpy()) for p in group] for group in groups]


def step_all(rng, optimizers, groups, others):
    """Step them with the same gradients, some of them missing; the parameters must be the same after it."""
    for one, other in zip(groups, others, strict=True):
        for p, q in zip(one, other, strict=True):
            p.grad = q.grad = ts.tensor(rng.normal(size=p.shape)) if rng.random() < 0.9 else None
    for optimizer in optimizers:
        optimizer.step()
    for one, other in zip(groups, others, strict=True):
        assert_same([p.numpy() for p in one], [q.numpy() for q in other])


@each
@given(data=st.data(), seed=seeds)
def test_a_group_is_an_optimiser_of_its_own(name, data, seed):
    rng, make = np.random.default_rng(seed), getattr(optim, name)
    groups, others = twins(rng, data)
    own = [data.draw(st.fixed_dictionaries({}, optional=OPTIONS[name])) for _ in groups]
    common = data.draw(st.fixed_dictionaries(OPTIONS[name]))
    late = data.draw(flags)
    given_ = [{"params": iter(params), **options} for params, options in zip(groups, own, strict=True)]
    optimizer = make(iter(given_[: len(given_) - late]), **common)
    alone = [make(params, **common | options) for params, options in zip(others, own, strict=True)]
    if late:  # a group that is added is there from then on
        step_all(rng, [optimizer, *alone[:-1]], groups[:-1], others[:-1])
        optimizer.add_param_group(given_[-1])
    held = optimizer.param_groups[-1]
    for _ in range(3):
        step_all(rng, [optimizer, *alone], groups, others)
    chosen, group = data.draw(st.sampled_from(sorted(OPTIONS[name]))), data.draw(st.sampled_from(range(len(groups))))
    optimizer.param_groups[group][chosen] = alone[group].param_groups[0][chosen] = data.draw(OPTIONS[name][chosen])
    step_all(rng, [optimizer, *alone], groups, others)
    for option, value in data.draw(st.fixed_dictionaries(OPTIONS[name])).items():
        for one in (optimizer, *alone):
            setattr(one, option, value)
        assert getattr(optimizer, option) == value
        assert all(group[option] == value for group in optimizer.param_groups)
    step_all(rng, [optimizer, *alone], groups, others)
    assert optimizer.param_groups[-1] is held
    assert optimizer.defaults == {**make(others[0]).defaults, **common}


@each
@given(data=st.data(), seed=seeds, at=st.integers(0, 3))
def test_saved_groups_go_on_bit_for_bit(name, tmp_path_factory, data, seed, at):
    path = tmp_path_factory.getbasetemp() / "groups"
    rng, make = np.random.default_rng(seed), getattr(optim, name)
    groups, others = twins(rng, data)
    own = [data.draw(st.fixed_dictionaries(OPTIONS[name])) for _ in groups]
    optimizer = make([{"params": params, **options} for params, options in zip(groups, own, strict=True)])
    for _ in range(at):
        step_all(rng, [optimizer], groups, groups)
    for p, q in zip(chain(*groups), chain(*others), strict=True):
        q.array = p.array
    ts.save(optimizer.state_dict(), path)
    other = make([{"params": params} for params in others])
    held = other.param_groups[0]
    other.load_state_dict(ts.load(path))
    assert held is other.param_groups[0]
    for _ in range(3):
        step_all(rng, [optimizer, other], groups, others)
    assert repr(other.state_dict()["param_groups"]) == repr(optimizer.state_dict()["param_groups"])


def test_a_copy_of_an_optimiser_moves_its_own_parameters():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD([{"params": [model.weight], "lr": 1.0}, {"params": [model.bias]}], momentum=0.5)
    model.weight.grad = ts.ones(1, 2)
    optimizer.step()
    before = model.weight.tolist()
    twin = copy.deepcopy(optimizer)
    twin.param_groups[0]["params"][0].grad = ts.ones(1, 2)
    twin.step()
    np.testing.assert_allclose(twin.param_groups[0]["params"][0].numpy(), np.subtract(before, 1.5), rtol=1e-6)
    assert model.weight.tolist() == before and optimizer.state[model.weight]["velocity"].tolist() == [[1.0, 1.0]]


W, V = nn.Parameter([1.0]), nn.Parameter([2.0])


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, "SGD: group 1 has no 'params', only .'lr'.", lambda: optim.SGD([{"params": [W]}, {"lr": 0.1}])),
    (ValueError, "SGD has no 'params', only ..$", lambda: optim.SGD([{}])),
    (TypeError, "SGD: group 0 must be a dict.*Parameter", lambda: optim.SGD([W, {"params": [V]}])),
    (TypeError, "SGD: expected a list .*dict", lambda: optim.SGD({"params": [W]})),
    (ValueError, "SGD: group 1: there are no parameters", lambda: optim.SGD([{"params": [W]}, {"params": []}])),
    (TypeError, "SGD: a set has no order", lambda: optim.SGD([{"params": {W}}])),
    (TypeError, "SGD: expected a list .*single Parameter", lambda: optim.SGD(W)),
    (TypeError, r"SGD: .*Linear.*parameters\(\)", lambda: optim.SGD([{"params": nn.Linear(1, 1)}])),
    (TypeError, "SGD: parameter 0 must be .*got str", lambda: optim.SGD([{"params": "W"}])),
    (ValueError, "Adam: there is no option 'momentum'; there are lr, betas, eps, weight_decay, amsgrad",
     lambda: optim.Adam([{"params": [W], "momentum": 0.9}])),
    (ValueError, "SGD: group 1: lr .*-1", lambda: optim.SGD([{"params": [W]}, {"params": [V], "lr": -1}])),
    (ValueError, "SGD: group 1: nesterov", lambda: optim.SGD([{"params": [W]}, {"params": [V], "nesterov": True}])),
    (ValueError, "SGD: group 1: parameter 1 is in group 0 already",
     lambda: optim.SGD([{"params": [W]}, {"params": [V, W]}])),
    (ValueError, "SGD: parameter 1 is there twice", lambda: optim.SGD([{"params": [W, W]}])),
    (ValueError, "SGD.add_param_group: group 1: parameter 0 is in group 0 already",
     lambda: optim.SGD([W]).add_param_group({"params": [W]})),
    (TypeError, "SGD.add_param_group: group 1 must be a dict", lambda: optim.SGD([W]).add_param_group([V])),
    (ValueError, r"SGD: lr is \[0\.1, 0\.5\] in the groups: read",
     lambda: optim.SGD([{"params": [W], "lr": 0.1}, {"params": [V], "lr": 0.5}]).lr),
    (AttributeError, "Adam has no attribute and no option 'momentum'", lambda: optim.Adam([W]).momentum),
    (AttributeError, "SGD has no attribute and no option 'learning_rate', its options: lr, momentum",
     lambda: setattr(optim.SGD([W]), "learning_rate", 0.1)),
    (ValueError, "SGD: momentum .*-1", lambda: setattr(optim.SGD([W]), "momentum", -1)),
])  # fmt: skip
def test_a_group_that_is_none_is_said(kind, says, call):
    with pytest.raises(kind, match=f"^{says}"):
        call()


@pytest.mark.parametrize("spoil", [
    lambda group: group.update(momentum=0.9), lambda group: group.update(lr=-1.0), lambda group: group.pop("params"),
    lambda group: group.update(params=[]), lambda group: group.update(params=[W]), lambda group: group.update(eps="a"),
])  # fmt: skip
def test_what_is_written_into_a_group_is_checked_at_the_step_and_nothing_moves(spoil):
    optimizer = optim.Adam([{"params": [W]}, {"params": [V]}])
    W.grad = V.grad = ts.ones(1)
    spoil(optimizer.param_groups[1])
    with pytest.raises((TypeError, ValueError), match=r"^Adam: group 1"):
        optimizer.step()
    assert W.tolist() == [1.0] and V.tolist() == [2.0] and optimizer.state == {}


def test_a_repr_says_the_options_that_are_set_now():
    w, b = nn.Parameter([1.0]), nn.Parameter([2.0])
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    optimizer.lr = 0.05
    assert repr(optimizer) == "SGD(lr=0.05, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=False)"
    grouped = optim.RMSprop([{"params": [w]}, {"params": [b], "lr": 0.5}], lr=0.1)
    first, second = repr(grouped).removeprefix("RMSprop(").removesuffix(")").split("; ")
    assert first.startswith("lr=0.1, ") and second == first.replace("lr=0.1", "lr=0.5")
