"""Optimisers: a state that does not fit, and a number that makes no sense, are said and change nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn, optim


@pytest.mark.parametrize("says, spoil", [
    ("param_groups", lambda saved: saved.pop("param_groups")),
    ("options", lambda saved: saved["param_groups"][0].pop("eps")),
    ("'state'", lambda saved: saved.update(parameters=3)),
    ("'state'", lambda saved: saved["parameters"].pop()),
    ("'state'", lambda saved: saved["parameters"][0].pop()),
    ("'state'", lambda saved: saved["parameters"][0].__setitem__(2, math.inf)),
    ("'state'", lambda saved: saved.update(more=1)),
    (r"parameter 1 was one \[3\].* now it is None \[2\]", lambda saved: saved["parameters"][1].__setitem__(1, [3])),
    ("options", lambda saved: saved["param_groups"][0].update(momentum=0.9)),
    ("lr", lambda saved: saved["param_groups"][0].update(lr=-1.0)),
    ("amsgrad", lambda saved: saved["param_groups"][0].update(amsgrad="no")),
    ("tuple of two", lambda saved: saved["param_groups"][0].update(betas=np.array([0.9, 0.9]))),
    ("'state'", lambda saved: saved["state"].pop()),
    ("'state'", lambda saved: saved["param_groups"][0].update(params=[1, 0])),
    ("'state'", lambda saved: saved["param_groups"][0].pop("params")),
    (r"groups of \[1, 1\] parameters.* \[2\]",
     lambda saved: saved.update(param_groups=[{**saved["param_groups"][0], "params": [i]} for i in range(2)])),
    (r"'m' of shape \(3,\).*parameter 1.*\(2,\)", lambda saved: saved["state"][1].update(m=np.ones(3))),
    (r"'m'.*parameter 1", lambda saved: saved["state"][1].update(m=[1.0, 2.0])),
    (r"'m'.*parameter 1", lambda saved: saved["state"][1].update(m=np.array([1, 2]))),
    (r"'velocity'.*parameter 0", lambda saved: saved["state"][0].update(velocity=np.ones(2))),
    (r"'t' -1 .*parameter 0", lambda saved: saved["state"][0].update(t=-1)),
    (r"'t' 1\.5 .*parameter 0", lambda saved: saved["state"][0].update(t=1.5)),
    (r"parameter 0, of shape \(2,\), there is t without m, v: load what state_dict\(\) gave",
     lambda saved: saved["state"].__setitem__(0, {"t": 5})),
    ("parameter 1, .* there is t, m without v: ", lambda saved: saved["state"][1].pop("v")),
    ("parameter 1, .* there is m, v without t: ", lambda saved: saved["state"][1].pop("t")),
])  # fmt: skip
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(says, spoil):
    parameters = [nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])]
    optimizer = optim.Adam(parameters, lr=0.5)
    for parameter in parameters:
        parameter.grad = ts.ones(2)
    optimizer.step()
    before, saved = repr(optimizer.state_dict()), optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 0.25
    saved["state"][0]["m"] += 1.0
    spoil(saved)
    with pytest.raises((TypeError, ValueError), match=f"^Adam.*{says}"):
        optimizer.load_state_dict(saved)
    assert repr(optimizer.state_dict()) == before


@pytest.mark.parametrize("make, needed", [
    (optim.SGD, []), (lambda p: optim.SGD(p, momentum=0.9), []), (optim.Adam, ["t", "m", "v"]),
    (lambda p: optim.AdamW(p, amsgrad=True), ["t", "m", "v"]), (optim.RMSprop, ["v"]), (optim.Adagrad, ["t", "s"]),
    (lambda p: optim.RMSprop(p, momentum=0.9, centered=True), ["v"]),
])  # fmt: skip
def test_a_state_is_whole_or_empty_but_for_what_an_option_adds(make, needed):
    """An option may have been set after the last step that was saved; what it adds is then made at the next."""
    parameter = nn.Parameter([1.0])
    optimizer = make([parameter])
    parameter.grad = ts.ones(1)
    optimizer.load_state_dict(optimizer.state_dict())  # before the first step
    optimizer.step()
    saved = optimizer.state_dict()
    for name in [*saved["state"][0], None]:
        state = {key: value for key, value in saved["state"][0].items() if key != name}
        if name in needed and state:
            with pytest.raises(ValueError, match=f" without {name}: "):
                optimizer.load_state_dict({**saved, "state": [state]})
        else:
            optimizer.load_state_dict({**saved, "state": [state]})
        parameter.grad = ts.ones(1)
        optimizer.step()


def stepped(parameters, **options):
    """An optimiser after a step, so that it has a state of each parameter."""
    optimizer = optim.Adam(parameters, **options)
    for i, parameter in enumerate(optimizer.parameters):
        parameter.grad = ts.ones(*parameter.shape) * float(i + 1)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("make", [
    lambda: list(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).parameters()),
    lambda: list(nn.LSTM(2, 1).parameters()),
    lambda: [nn.Parameter(ts.randn(2)) for _ in range(4)],
], ids=["names and shapes twice", "shapes twice", "no names"])  # fmt: skip
@given(seed=seeds, order=st.just([0, 1, 3, 2]) | st.permutations(range(4)))
def test_a_state_goes_to_no_other_parameters(make, seed, order):
    """Saved and loaded in another order, before or after the model: refused, but where nothing tells them apart."""
    ts.manual_seed(seed)
    parameters, fresh = make(), make()
    saved = stepped(parameters).state_dict()
    other = optim.Adam([parameters[i] for i in order], lr=0.5)
    before = repr(other.state_dict())
    if order == list(range(4)):
        other.load_state_dict(saved)
    else:
        with pytest.raises(ValueError, match=r"Adam.load_state_dict: parameter \d was .*pass the .* in the same order"):
            other.load_state_dict(saved)
        assert repr(other.state_dict()) == before
    stepped(fresh).load_state_dict(saved)  # other values, as in a model that is yet to be loaded
    names = [(p.name, p.shape) for p in fresh]
    if [names[i] for i in order] != names:
        with pytest.raises(ValueError, match="in the same order"):
            stepped([fresh[i] for i in order]).load_state_dict(saved)


@pytest.mark.parametrize("named", [False, True], ids=["0.1.0", "with names"])
def test_a_state_from_before_there_were_groups_is_taken_as_one_group(tmp_path, named):
    """Exactly what version 0.1.0 wrote, which knew no names; and what was written before there were groups."""
    options = {"lr": 0.25, "betas": (0.5, 0.75), "eps": 0.0, "weight_decay": 0.0, "amsgrad": False}
    old = {"options": options, "state": [{}, {"t": 2, "m": np.float32([3.0]), "v": np.float32([4.0])}]}
    layer = nn.Linear(1, 1)
    optimizer = optim.Adam(layer.parameters())
    if named:
        old["parameters"] = optimizer.state_dict()["parameters"]
    ts.save(old, tmp_path / "old")
    optimizer.load_state_dict(ts.load(tmp_path / "old"))
    found = optimizer.state_dict()
    assert found["param_groups"] == [{**options, "params": [0, 1]}] and repr(found["state"]) == repr(old["state"])
    assert [entry[:2] for entry in found["parameters"]] == [["weight", [1, 1]], ["bias", [1]]]
    with pytest.raises(ValueError, match=r"Adam.load_state_dict: .* groups of \[2\] parameters, .* has \[1, 1\]"):
        optim.Adam([{"params": [p]} for p in layer.parameters()]).load_state_dict(old)


@pytest.mark.parametrize("lr", [math.nan, -1.0, "fast", None])
def test_an_option_that_became_nonsense_is_said_at_the_next_step(lr):
    optimizer = stepped([nn.Parameter([1.0, 2.0])])
    before = repr(optimizer.state_dict()["state"]), optimizer.parameters[0].tolist()
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises((TypeError, ValueError), match=rf"Adam: lr must be .*{lr}"):
        optimizer.step()
    assert (repr(optimizer.state_dict()["state"]), optimizer.parameters[0].tolist()) == before


def test_a_truth_value_of_numpy_is_one():
    assert optim.Adam([nn.Parameter([1.0])], amsgrad=np.bool_(True)).param_groups[0]["amsgrad"] is True


def test_a_step_that_failed_was_none():
    parameter = nn.Parameter([1.0])
    parameter.grad = ts.ones(1)
    optimizer = optim.SGD([parameter])
    optimizer.param_groups[0]["momentum"] = -1.0
    with pytest.raises(ValueError, match="momentum"):
        optimizer.step()
    with pytest.warns(UserWarning, match="step the optimiser first"):
        optim.ExponentialLR(optimizer, 0.5).step()


def test_a_loaded_state_is_ones_own():
    parameter = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([parameter], momentum=0.9)
    parameter.grad = ts.ones(2)
    optimizer.step()
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    saved["state"][0]["velocity"][...] = 7.0
    saved["param_groups"][0]["lr"] = 7.0
    assert optimizer.state_dict()["state"][0]["velocity"].tolist() == [1.0, 1.0]
    assert optimizer.lr == 1e-3


@pytest.mark.parametrize("kind, says, call", [
    (ValueError, r"Adam: lr .*-0\.1", lambda w: optim.Adam([w], lr=-0.1)),
    (ValueError, r"SGD: lr .*nan", lambda w: optim.SGD([w], lr=math.nan)),
    (ValueError, r"Adam: lr .*inf", lambda w: optim.Adam([w], lr=math.inf)),
    (TypeError, r"Adam: lr .*fast", lambda w: optim.Adam([w], lr="fast")),
    (TypeError, r"SGD: momentum .*None", lambda w: optim.SGD([w], momentum=None)),
    (ValueError, r"Adam: betas .*1\.0", lambda w: optim.Adam([w], betas=(0.9, 1.0))),
    (ValueError, r"Adam: betas .*-0\.1", lambda w: optim.Adam([w], betas=(-0.1, 0.9))),
    (ValueError, r"Adam: betas .*nan", lambda w: optim.Adam([w], betas=(0.9, math.nan))),
    ((TypeError, ValueError), r"Adam: betas .*0\.9", lambda w: optim.Adam([w], betas=0.9)),
    ((TypeError, ValueError), r"Adam: betas .*0\.9", lambda w: optim.Adam([w], betas=(0.9,))),
    (ValueError, r"Adam: eps", lambda w: optim.Adam([w], eps=-1.0)),
    (ValueError, r"Adam: weight_decay", lambda w: optim.Adam([w], weight_decay=-1.0)),
    (ValueError, r"SGD: momentum", lambda w: optim.SGD([w], momentum=-1.0)),
    (ValueError, r"SGD: nesterov", lambda w: optim.SGD([w], nesterov=True)),
    (ValueError, r"SGD: nesterov", lambda w: optim.SGD([w], momentum=0.9, dampening=0.1, nesterov=True)),
    (ValueError, r"SGD: .*no parameters", lambda w: optim.SGD([])),
    (TypeError, r"SGD: parameter 1 .*Tensor", lambda w: optim.SGD([w, ts.ones(2)])),
    (ValueError, r"lr.*-1", lambda w: setattr(optim.SGD([w]), r"lr", -1.0)),
    (ValueError, r"SGD: parameter 2 .*twice", lambda w: optim.SGD([nn.Parameter([1.0]), w, w])),
    (TypeError, r"SGD: .*single Parameter", lambda w: optim.SGD(w)),
    (TypeError, r"SGD: a set has no order", lambda w: optim.SGD({w})),
    (TypeError, r"Adam: a set has no order", lambda w: optim.Adam(frozenset([w]))),
    (TypeError, r"SGD: .*single float", lambda w: optim.SGD(0.1)),
    (TypeError, r"SGD: .*single ndarray", lambda w: optim.SGD(np.array(0.1))),
    (ValueError, r"Adam.load_state_dict: expected", lambda w: optim.Adam([w]).load_state_dict(np.ones(2))),
    (TypeError, r"Adam: .*Linear.*parameters\(\)", lambda w: optim.Adam(nn.Linear(2, 2))),
    (TypeError, r"Adam: parameter 0 .*multiply.*leaf", lambda w: optim.Adam([w * 2.0])),
    (TypeError, r"Adam: lr .*True", lambda w: optim.Adam([w], lr=True)),
    (TypeError, r"Adam: lr .*'0\.1'", lambda w: optim.Adam([w], lr="0.1")),
    (TypeError, r"Adam: lr .*array", lambda w: optim.Adam([w], lr=np.ones(2))),
    (TypeError, r"Adam: betas .*False", lambda w: optim.Adam([w], betas=(False, 0.9))),
    (TypeError, r"Adam: amsgrad .*1", lambda w: optim.Adam([w], amsgrad=1)),
    (TypeError, r"SGD: nesterov .*1", lambda w: optim.SGD([w], momentum=0.9, nesterov=1)),
    (ValueError, r"AdamW: weight_decay .*-1", lambda w: optim.AdamW([w], weight_decay=-1)),
    (ValueError, r"RMSprop: alpha .*1\.0", lambda w: optim.RMSprop([w], alpha=1.0)),
    (TypeError, r"RMSprop: centered .*None", lambda w: optim.RMSprop([w], centered=None)),
    (ValueError, r"Adagrad: lr_decay .*nan", lambda w: optim.Adagrad([w], lr_decay=math.nan)),
    (ValueError, r"Adagrad: initial_acc.*-1", lambda w: optim.Adagrad([w], initial_accumulator_value=-1)),
])  # fmt: skip
def test_wrong_numbers_are_said(kind, says, call):
    with pytest.raises(kind, match=says):
        call(nn.Parameter([1.0, 2.0]))


@pytest.mark.parametrize("answer", [lambda x: None, lambda x: x.astype("float16"), lambda x: x[:1], lambda x: 1 / 0])
def test_a_step_that_fails_moves_nothing(answer):
    class Own(optim.Optimizer):
        def update(self, x, g, state, o):
            state["t"] = state.get("t", 0) + 1
            return x - g if x.size == 2 else answer(x)

    weights = [nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0, 5.0])]
    for weight in weights:
        weight.grad = ts.ones(weight.shape)
    own = Own(weights, lr=1.0)
    with pytest.raises((TypeError, ZeroDivisionError)) as caught:
        own.step()
    assert caught.type is ZeroDivisionError or "Own: update must give parameter 1" in str(caught.value)
    assert [weight.tolist() for weight in weights] == [[1.0, 2.0], [3.0, 4.0, 5.0]] and own.state == {}
