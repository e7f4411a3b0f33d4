"""A pass that was interrupted, saved and taken up again elsewhere is the pass that was not: batch by batch.

What else draws from the generator meanwhile, as dropout does, draws the same numbers, too.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_seq as ts

seeds = st.integers(0, 2**32 - 1)
KINDS = {"PCG64": np.random.PCG64, "MT19937": np.random.MT19937, "default": None}
each_kind = pytest.mark.parametrize("kind", KINDS)


class Run:
    """Passes over some numbers; where they are shuffled, somebody draws from the same generator with every batch."""

    def __init__(self, kind, seed, count, **options):
        ts.manual_seed(seed)
        self.generator = None if KINDS[kind] is None else np.random.Generator(KINDS[kind](seed))
        self.batches = ts.data.batches(np.arange(count), generator=self.generator, **options)

    def seen(self, part):
        return part.tolist(), self.batches.shuffle and ts.rand(1, generator=self.generator).item()

    def passes(self, count):
        return [[self.seen(part) for (part,) in self.batches] for _ in range(count)]


@each_kind
@pytest.mark.parametrize("shuffle", [False, True])
@given(data=st.data(), seed=seeds, count=st.integers(0, 9), size=st.integers(1, 4), drop=st.booleans(),
       before=st.integers(0, 2))  # fmt: skip
def test_a_resumed_run_is_the_run_that_was_not_interrupted(
    tmp_path_factory, kind, shuffle, data, seed, count, size, drop, before
):
    path, options = tmp_path_factory.getbasetemp() / "batches", {"size": size, "shuffle": shuffle, "drop_last": drop}
    expected = Run(kind, seed, count, **options).passes(before + 3)
    run = Run(kind, seed, count, **options)
    assert run.passes(before) == expected[:before]
    at = data.draw(st.sampled_from(range(len(run.batches), -1, -1)), label="batches before the interruption")
    for number, (part,) in zip(range(at), run.batches):
        assert run.seen(part) == expected[before][number]
    ts.save(run.batches.state_dict(), path)
    other = run if data.draw(st.booleans(), label="in place") else Run(kind, seed + 1, count, **options)
    other.passes(data.draw(st.integers(0, 2), label="other passes meanwhile"))
    other.batches.load_state_dict(ts.load(path))
    ts.save(other.batches.state_dict(), path)  # which is the same again
    other.batches.load_state_dict(ts.load(path))
    assert other.passes(3) == [expected[before][at:], *expected[before + 1 :]]


@given(seed=seeds, at=st.integers(1, 4))
def test_a_pass_that_begins_anew_is_whole(seed, at):
    ts.manual_seed(seed)
    batches = ts.data.batches(np.arange(8), size=2, shuffle=True)
    for _ in zip(range(at), batches):
        pass
    assert sorted(n for (part,) in batches for n in part.tolist()) == list(range(8))
    assert batches.state_dict()["given"] == 0


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("says, spoil", [
    ("expected what state_dict", lambda state: state.pop("given")),
    ("expected what state_dict", lambda state: state.update(more=1)),
    ("-1 batches of 2", lambda state: state.update(given=-1)),
    ("4 batches of 2", lambda state: state.update(given=4)),
    ("True batches of 2", lambda state: state.update(given=True)),
    ("None batches of 2", lambda state: state.update(given=None)),
    ("of 7 examples, 2 at a time, .* 6, 2", lambda state: state.update(examples=7)),
    ("of 6 examples, 3 at a time, .* 6, 2", lambda state: state.update(size=3)),
    ("shuffle=", lambda state: state.update(generator=None if state["generator"] else ts.get_rng_state())),
    ("shuffle=", lambda state: state.update(order=None if state["order"] else ts.get_rng_state())),
    ("shuffle=|this kind of generator", lambda state: state.update(order=np.random.MT19937().state)),
    ("shuffle=|this kind of generator", lambda state: state.update(generator={})),
    ("shuffle=|this kind of generator", lambda state: state.update(generator="PCG64")),
])  # fmt: skip
def test_a_state_of_other_batches_is_refused_and_changes_nothing(shuffle, says, spoil):
    batches = ts.data.batches(np.arange(6), size=2, shuffle=shuffle)
    next(iter(batches))
    state = batches.state_dict()
    next(iter(batches))
    before = batches.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=rf"^Batches.load_state_dict: .*({says})"):
        batches.load_state_dict(state)
    assert batches.state_dict() == before and len(list(batches)) == 3


@pytest.mark.parametrize("state", [None, 3, [], "state"], ids=repr)
def test_what_is_no_state_is_said(state):
    with pytest.raises(ValueError, match=r"^Batches.load_state_dict: expected what state_dict\(\) gives"):
        ts.data.batches([1, 2], size=1).load_state_dict(state)
