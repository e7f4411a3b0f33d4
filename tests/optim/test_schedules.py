"""Schedules: the learning rate is a formula of time, whatever was saved and loaded on the way.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

rates = st.floats(1e-6, 10)
lengths = st.integers(1, 12)


def sgd(lr):
    """An optimiser that has stepped, as it should have before its schedule does."""
    optimizer = optim.SGD([nn.Parameter([1.0])], lr=lr)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("begun", [False, True])
def test_a_schedule_that_steps_before_its_optimiser_warns_once(begun):
    optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    schedule = optim.StepLR(optimizer, 1)
    if begun:
        optimizer.step()
        schedule.step()
    else:
        with pytest.warns(UserWarning, match=r"StepLR: step the optimiser first") as caught:
            schedule.step()
        assert caught[0].filename == __file__
    schedule.step()  # where warnings are errors, as everywhere in these tests
    assert optimizer.lr == pytest.approx(0.01)


def test_a_schedule_taken_up_again_does_not_warn():
    saved = {"start": 1.0, "t": 3, "step_size": 1, "gamma": 0.5}
    schedule = optim.StepLR(optim.SGD([nn.Parameter([1.0])]), 1)
    schedule.load_state_dict(saved)
    schedule.optimizer.lr = 0.125  # as the optimiser's state would set it
    schedule.step()
    assert schedule.optimizer.lr == 0.0625


def test_a_rate_beyond_all_numbers_is_refused_and_time_stands_still():
    schedule = optim.StepLR(sgd(1.0), 1, gamma=1e200)
    schedule.step()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"StepLR: the next learning rate must be .* finite, got inf"):
            schedule.step()
    assert (schedule.options["t"], schedule.optimizer.lr) == (1, 1e200)


MAKERS = {
    "StepLR": lambda optimizer, n: optim.StepLR(optimizer, n, gamma=0.5),
    "CosineAnnealingLR": lambda optimizer, n: optim.CosineAnnealingLR(optimizer, n, eta_min=1e-7),
    "ExponentialLR": lambda optimizer, n: optim.ExponentialLR(optimizer, 1 - 1 / (n + 1)),
    "LambdaLR": lambda optimizer, n: optim.LambdaLR(optimizer, lambda t: 1 / (1 + t / 7)),
}
each_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def assert_follows(schedule, formula, steps=40):
    assert schedule.optimizer.lr == pytest.approx(formula(0), rel=1e-12)
    for t in range(1, steps):
        schedule.step()
        assert schedule.optimizer.lr == pytest.approx(formula(t), rel=1e-12, abs=1e-15)
        assert schedule.get_last_lr() == [schedule.optimizer.lr]


@given(lr=rates, size=lengths, gamma=st.floats(0, 1))
def test_step_drops_after_every_so_many_steps(lr, size, gamma):
    assert_follows(optim.StepLR(sgd(lr), size, gamma), lambda t: lr * math.prod([gamma] * (t // size)))


@given(lr=rates, length=lengths, lowest=st.floats(0, 1e-6))
def test_cosine_is_half_a_wave_from_the_start_to_the_lowest(lr, length, lowest):
    schedule = optim.CosineAnnealingLR(sgd(lr), length, lowest)
    assert_follows(schedule, lambda t: lowest + (lr - lowest) * np.cos(np.pi * t / length / 2) ** 2, 2 * length + 1)
    assert schedule.optimizer.lr == pytest.approx(lr, rel=1e-12)  # a whole wave


@given(lr=rates, gamma=st.floats(0, 1))
def test_an_exponential_is_a_factor_a_step(lr, gamma):
    assert_follows(optim.ExponentialLR(sgd(lr), gamma), lambda t: lr * math.prod([gamma] * t))


@given(lr=rates, factors=st.lists(st.floats(0, 3), min_size=40, max_size=40))
def test_a_function_gives_the_factor_from_the_beginning(lr, factors):
    assert_follows(optim.LambdaLR(sgd(lr), factors.__getitem__), lambda t: lr * factors[t])


def test_two_schedules_are_chained_and_a_rate_set_by_hand_is_where_one_goes_on():
    warm_up, decay = [optim.LambdaLR(one := sgd(1.0), lambda t: min(1.0, (t + 1) / 4)), optim.ExponentialLR(one, 0.5)]
    seen = []
    for _ in range(4):
        warm_up.step()
        decay.step()
        seen += decay.get_last_lr()
    assert seen == [0.25, 0.375, 0.5, 0.5]  # PyTorch's
    alone = optim.ExponentialLR(sgd(1.0), 0.5)
    alone.step()
    alone.optimizer.lr = 0.1
    alone.step()
    assert alone.get_last_lr() == [0.05]
    alone.optimizer.param_groups[0]["lr"] = "fast"
    with pytest.raises(TypeError, match="ExponentialLR: the learning rate that is set must be a number, got 'fast'"):
        alone.step()
    assert alone.options["t"] == 2


@each_maker
def test_options_starts_and_time_are_attributes(make):
    schedule = make(sgd(0.5), 2)
    schedule.step()
    schedule.optimizer.add_param_group({"params": [nn.Parameter([1.0])], "lr": 0.25})
    state, names = schedule.state_dict(), {"start": "base_lrs", "t": "last_epoch"}  # PyTorch's
    assert {name: getattr(schedule, names.get(name, name)) for name in state} == {**state, "start": [0.5, 0.25]}


@each_maker
@given(lr=rates, length=lengths, at=st.integers(0, 9))
def test_a_chain_that_is_saved_goes_on_bit_for_bit(make, lr, length, at):
    def chain(lr):
        first = make(sgd(lr), length)
        return first, optim.ExponentialLR(first.optimizer, 0.75)

    whole, resumed = chain(lr), chain(3.0)
    for t in range(10):
        if t == at:
            for one, other in zip(resumed, whole):
                one.load_state_dict(other.state_dict())
            resumed[0].optimizer.load_state_dict(whole[0].optimizer.state_dict())
        for schedule in whole + resumed:
            schedule.step()
        assert t < at or resumed[0].get_last_lr() == whole[0].get_last_lr()


def of_groups(starts):
    optimizer = optim.SGD([{"params": [nn.Parameter([1.0])], "lr": lr} for lr in starts])
    optimizer.step()
    return optimizer


@each_maker
@given(starts=st.lists(rates, min_size=1, max_size=3), length=lengths)
def test_every_group_goes_on_from_its_own_start(make, starts, length):
    together, alone = make(of_groups(starts), length), [make(sgd(lr), length) for lr in starts]
    held = together.optimizer.param_groups[-1]
    for _ in range(12):
        assert together.get_last_lr() == [schedule.optimizer.lr for schedule in alone]
        for schedule in (together, *alone):
            schedule.step()
    assert held is together.optimizer.param_groups[-1]


def test_a_function_for_each_group():
    schedule = optim.LambdaLR(of_groups([1.0, 2.0]), [lambda t: 0.5**t, lambda t: t])
    assert schedule.get_last_lr() == [1.0, 0.0]
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 2.0]
    schedule.optimizer.add_param_group({"params": [nn.Parameter([1.0])]})
    with pytest.raises(ValueError, match=r"^LambdaLR: 2 functions, but the optimiser has 3 group"):
        schedule.step()
    assert schedule.get_last_lr() == [0.5, 2.0, 1e-3] and schedule.options["t"] == 1


@each_maker
def test_a_group_that_is_added_starts_from_its_own_rate(make):
    schedule, alone = make(sgd(0.5), 2), make(sgd(0.25), 2)
    schedule.optimizer.add_param_group({"params": [nn.Parameter([1.0])], "lr": 0.25})
    assert schedule.state_dict()["start"] == (0.5, 0.25)
    for _ in range(5):
        schedule.step()
        alone.step()
        assert schedule.get_last_lr()[1] == alone.get_last_lr()[0]


def test_a_group_that_is_added_late_goes_on_from_its_own_rate():
    schedule = optim.ExponentialLR(sgd(1.0), 0.5)
    schedule.step()
    schedule.optimizer.add_param_group({"params": [nn.Parameter([1.0])], "lr": 0.5})
    schedule.step()
    assert schedule.get_last_lr() == [0.25, 0.25]  # as in PyTorch


@each_maker
@given(lr=rates, length=lengths, at=st.integers(0, 20))
def test_a_saved_schedule_goes_on_bit_for_bit(make, tmp_path_factory, lr, length, at):
    path = tmp_path_factory.getbasetemp() / "schedule"
    schedule = make(sgd(lr), length)
    for _ in range(at):
        schedule.step()
    ts.save([schedule.state_dict(), schedule.optimizer.state_dict()], path)
    other = make(sgd(3.0), 7)
    state, optimizer = ts.load(path)
    other.load_state_dict(state)
    other.optimizer.load_state_dict(optimizer)
    for _ in range(10):
        assert other.optimizer.lr == schedule.optimizer.lr
        schedule.step()
        other.step()


@each_maker
@pytest.mark.parametrize("spoil", [
    lambda state: state.pop("t"), lambda state: state.update(other=1), lambda state: state.update(t=-1),
    lambda state: state.update(t=1.5), lambda state: state.update(start="fast"), lambda state: state.update(start=True),
    lambda state: state.update(start=math.nan),
])  # fmt: skip
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(make, spoil):
    schedule = make(sgd(1.0), 3)
    schedule.step()
    before, state = schedule.state_dict(), {**schedule.state_dict(), "start": 2.0}
    spoil(state)
    with pytest.raises((TypeError, ValueError), match="LR"):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before


@pytest.mark.parametrize("kind, says, call", [
    (TypeError, "StepLR: .*optimiser.*float", lambda o: optim.StepLR(0.1, 2)),
    (ValueError, "StepLR: step_size .*0", lambda o: optim.StepLR(o, 0)),
    (ValueError, "StepLR: step_size .*-2", lambda o: optim.StepLR(o, -2)),
    (ValueError, r"StepLR: step_size .*1\.5", lambda o: optim.StepLR(o, 1.5)),
    (TypeError, "StepLR: step_size .*True", lambda o: optim.StepLR(o, True)),
    (ValueError, "StepLR: gamma .*-1", lambda o: optim.StepLR(o, 2, -1)),
    (ValueError, "CosineAnnealingLR: T_max .*0", lambda o: optim.CosineAnnealingLR(o, 0)),
    (ValueError, "CosineAnnealingLR: eta_min .*nan", lambda o: optim.CosineAnnealingLR(o, 5, math.nan)),
    (ValueError, "StepLR: step_size .*9.*", lambda o: optim.StepLR(o, 10**30)),
    (ValueError, "ExponentialLR: gamma .*-1", lambda o: optim.ExponentialLR(o, -1)),
    (TypeError, "LambdaLR: lr_lambda must be a function.*0.5", lambda o: optim.LambdaLR(o, 0.5)),
    (TypeError, "LambdaLR: lr_lambda must be a function.*None", lambda o: optim.LambdaLR(o, [None])),
    (ValueError, r"LambdaLR: 2 functions, .* 1 group", lambda o: optim.LambdaLR(o, [abs, abs])),
    (ValueError, r"LambdaLR: lr_lambda\(0\) .*-1", lambda o: optim.LambdaLR(o, lambda t: -1)),
    (TypeError, r"LambdaLR: lr_lambda\(0\) .*None", lambda o: optim.LambdaLR(o, lambda t: None)),
    (ValueError, "CosineAnnealingLR.load_state_dict: .*list",
     lambda o: optim.CosineAnnealingLR(o, 5).load_state_dict([])),
])  # fmt: skip
def test_wrong_numbers_are_said(kind, says, call):
    optimizer = sgd(1.0)
    with pytest.raises(kind, match=f"^{says}"):
        call(optimizer)
    assert optimizer.lr == 1.0
