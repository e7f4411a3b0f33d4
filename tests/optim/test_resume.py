"""A training run that is saved and taken up again goes on bit for bit: weights, optimiser, schedule and chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn, optim

OPTIMISERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p),
    "RMSprop": lambda p: optim.RMSprop(p, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr_decay=0.1),
}
SCHEDULES = {
    "StepLR": lambda o: optim.StepLR(o, 2, 0.5),
    "CosineAnnealingLR": lambda o: optim.CosineAnnealingLR(o, 6, 1e-4),
}


class Run:
    """A small network on random sequences, with dropout: everything that chance decides is drawn from the default."""

    def __init__(self, optimiser, schedule):
        self.model = nn.Sequential(nn.Embedding(5, 3), nn.Dropout(0.3), nn.Linear(3, 5))
        self.optimiser = OPTIMISERS[optimiser](self.model.parameters())
        self.schedule = SCHEDULES[schedule](self.optimiser)

    def step(self):
        ids = (ts.rand(4, 2).numpy() * 5).astype("int64")
        loss = nn.cross_entropy(self.model(ids), (ids + 1) % 5)
        self.optimiser.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        return loss.item()

    def save(self, path):
        ts.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
                 "schedule": self.schedule.state_dict(), "chance": ts.get_rng_state()}, path)  # fmt: skip

    def load(self, path):
        saved = ts.load(path)
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        ts.set_rng_state(saved["chance"])


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@given(seed=seeds, at=st.integers(0, 6))
def test_a_resumed_run_is_the_same_run(tmp_path_factory, optimiser, schedule, seed, at):
    path = tmp_path_factory.getbasetemp() / "run"
    ts.manual_seed(seed)
    run = Run(optimiser, schedule)
    for _ in range(at):
        run.step()
    run.save(path)
    expected = [(run.step(), run.optimiser.lr) for _ in range(4)]
    ts.manual_seed(seed + 1)
    other = Run(optimiser, schedule)
    other.load(path)
    assert [(other.step(), other.optimiser.lr) for _ in range(4)] == expected
    for p, q in zip(run.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


@given(seed=seeds, count=st.integers(0, 5))
def test_the_state_of_chance_is_restored(seed, count):
    ts.manual_seed(seed)
    ts.randn(count)
    state = ts.get_rng_state()
    first = ts.rand(3).tolist()
    assert ts.get_rng_state() != state
    ts.set_rng_state(state)
    assert ts.rand(3).tolist() == first


@pytest.mark.parametrize("bad", [
    None, 7, {}, {"bit_generator": "MT19937"}, {"bit_generator": "PCG64", "state": {"state": 1}},
    {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}, "has_uint32": 0, "uinteger": 0},
    {"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}, "has_uint32": 0, "uinteger": 0},
], ids=repr)  # fmt: skip
def test_another_state_is_refused_and_changes_nothing(bad):
    before = ts.get_rng_state()
    with pytest.raises(ValueError, match="set_rng_state: expected what get_rng_state"):
        ts.set_rng_state(bad)
    assert ts.get_rng_state() == before
