"""A Buffer belongs to its module and is not trained: it moves, is saved, loaded and copied as Parameters are.

A Tensor that is assigned in its place becomes a Buffer; a Tensor with a gradient does not, or the history of all that
came before would be kept. A plain Tensor is nobody's business.
"""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_near, assert_same
from networks import leaf, seeds
from pictures import items

import tinygrad_seq as ts
from tinygrad_seq import nn


class Norm(nn.Module):
    """A running mean, how many it is of, and a mask; a Parameter after them, and a Tensor that is nothing of these."""

    def __init__(self, size=2):
        self.running = nn.Buffer(ts.zeros(size))
        self.count = nn.Buffer(0)
        self.mask = nn.Buffer([True, False])
        self.scale = nn.Parameter(ts.ones(size))
        self.plain = ts.ones(size)

    def forward(self, x):
        self.running = self.running * 0.75 + x.mean(0).detach() * 0.25
        self.count += 1
        return (x - self.running) * self.scale


class Model(nn.Module):
    def __init__(self):
        self.norm = Norm()
        self.head = nn.Linear(2, 1, bias=False)


NAMES = ["norm.running", "norm.count", "norm.mask"]


def values(module):
    return [buffer.numpy().copy() for buffer in module.buffers()]


def test_buffers_are_listed_by_themselves():
    model = Model()
    assert [name for name, _ in model.named_buffers()] == NAMES
    assert [name for name, _ in model.named_buffers("model")] == ["model." + name for name in NAMES]
    assert list(model.buffers()) == [model.norm.running, model.norm.count, model.norm.mask]
    assert [buffer.name for buffer in model.buffers()] == ["running", "count", "mask"]
    assert [name for name, _ in model.named_parameters()] == ["norm.scale", "head.weight"]
    assert list(model.state_dict()) == ["norm.scale", *NAMES, "head.weight"]  # as in PyTorch
    assert "mask" not in str(model.summary()) and str(model.summary()).endswith("4 parameters")
    model.again = model.norm.running
    assert [name for name, _ in model.named_buffers()] == ["again", *NAMES[1:]]
    assert not any(buffer.requires_grad for buffer in model.buffers())
    assert repr(ts.nn.Buffer(ts.tensor([1.0], device="cpu"))) == "Buffer([1.])"


@given(seed=seeds, steps=st.integers(1, 5))
def test_a_tensor_in_its_place_becomes_a_buffer(seed, steps):
    """Here, a running mean; nothing of what it was made from is kept."""
    rng, norm = np.random.default_rng(seed), Norm().to("float64")
    expected = np.zeros(2)
    for batch in rng.normal(size=(steps, 3, 2)):
        x = leaf(batch)
        norm(x * x).sum().backward()
        expected = expected * 0.75 + (batch * batch).mean(0) * 0.25
        assert type(norm.running) is nn.Buffer and norm.running.name == "running" and not norm.running.node.parents
    assert_near([norm.running.numpy()], [expected])
    assert norm.count.item() == steps and type(norm.count) is nn.Buffer
    assert list(norm.state_dict()) == ["scale", "running", "count", "mask"]


@pytest.mark.parametrize("value", [
    np.zeros(2), [0.0], 0.5, "running", True, lambda x: x, leaf([1.0]), leaf([1.0]) * 2.0,
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_what_has_no_place_there_is_refused_and_changes_nothing(value):
    norm = Norm()
    before = norm.running
    says = r"Norm: 'running' is an nn\.Buffer, and only a Tensor without gradient or None.*not " + type(value).__name__
    with pytest.raises(TypeError, match=says + (r".*\.detach\(\)" if isinstance(value, ts.Tensor) else "$")):
        norm.running = value
    assert norm.running is before


def test_other_parts_and_none_take_its_place():
    norm = Norm()
    norm.running = other = nn.Buffer(ts.ones(5))
    assert norm.running is other and other.name == "running"
    norm.running = None
    assert [name for name, _ in norm.named_buffers()] == ["count", "mask"]
    norm.count = nn.Parameter([1.0])
    norm.mask = nn.Linear(1, 1)
    assert not list(norm.buffers()) and len(list(norm.parameters())) == 4
    for name, value in (("scale", nn.Buffer([1.0, 1.0])), ("mask", nn.Buffer([1.0]))):
        with pytest.raises(TypeError, match=rf"Norm: '{name}' is an nn\.(Parameter|Module), and only.*not Buffer"):
            setattr(norm, name, value)


@pytest.mark.parametrize("data, dtype", [([1.0], "float32"), (3, "int64"), (np.ones(2), "float64"), (True, "bool")])
def test_it_is_a_copy_of_the_data(data, dtype):
    buffer = nn.Buffer(data)
    assert buffer.dtype == dtype and buffer.tolist() == np.asarray(data).tolist()
    if isinstance(data, np.ndarray):
        data[...] = 7.0
        assert buffer.tolist() == [1.0, 1.0]
    assert nn.Buffer(data, dtype="float16").dtype == np.float16
    assert not nn.Buffer(leaf([1.0])).requires_grad


@pytest.mark.parametrize("kind, data", [
    (TypeError, None), (TypeError, "a"), (TypeError, leaf([1.0]) * 2.0), (ValueError, [[1.0], [2.0, 3.0]]),
], ids=["none", "text", "a result", "ragged"])  # fmt: skip
def test_of_what_is_no_number_there_is_no_buffer(kind, data):
    with pytest.raises(kind, match=r"^Buffer: ") as caught:
        nn.Buffer(data)
    assert type(caught.value) is kind


@given(seed=seeds)
def test_it_moves_to_a_dtype_if_it_is_floating_and_to_every_device(gpu, seed):
    norm, x = Norm(), np.random.default_rng(seed).normal(size=(3, 2))
    early = norm.scale * norm.running
    assert norm.to("float64").running.dtype == np.float64
    assert (norm.count.dtype, norm.mask.dtype, norm.plain.dtype) == (np.int64, bool, np.float32)
    assert norm(leaf(x)).dtype == np.float64
    early.sum().backward()
    before, there = norm.plain, norm.to("cuda")
    assert there is norm and norm.plain is before
    assert {part.device for part in (*norm.buffers(), *norm.parameters())} == {"cuda:0"}
    assert norm(leaf(x, "cuda")).device == "cuda:0" and norm.running.device == "cuda:0"
    assert [buffer.name for buffer in norm.buffers()] == ["running", "count", "mask"]
    arrays = [buffer.array for buffer in norm.buffers()]
    for target in ("int64", "tpu", "cuda:77"):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            norm.to(target)
    assert all(buffer.array is array for buffer, array in zip(norm.buffers(), arrays, strict=True))


@given(seed=seeds)
def test_a_state_moves_from_one_module_to_another(seed, tmp_path_factory):
    model, other = Model(), Model()
    model.norm(leaf(np.random.default_rng(seed).normal(size=(3, 2)).astype("float32")))
    model.norm.mask = ts.tensor([False, True])
    path = tmp_path_factory.mktemp("state") / "model.ts"
    ts.save(model.state_dict(), path)
    kept = list(other.buffers())
    other.load_state_dict(ts.load(path))
    assert list(other.buffers()) == kept
    assert_same(values(other), values(model))
    for array in (state := model.state_dict()).values():
        array[...] = 0
    assert_same(values(other), values(model))
    other.load_state_dict({**state, "norm.count": np.int8(5), "norm.running": [1, 2]})
    assert other.norm.count.dtype == np.int64 and other.norm.running.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("says, spoil", [
    (r"missing \['norm\.count', 'norm\.mask'\]", lambda state: [state.pop("norm.count"), state.pop("norm.mask")]),
    (r"unexpected \['norm\.plain'\]", lambda state: state.update({"norm.plain": np.ones(2)})),
    (r"norm\.running: shape \(3,\), expected \(2,\)", lambda state: state.update({"norm.running": np.ones(3)})),
    (r"norm\.count: .*float64.*int64", lambda state: state.update({"norm.count": 0.5})),
    (r"norm\.mask", lambda state: state.update({"norm.mask": ["a", "b"]})),
], ids=["missing", "unexpected", "longer", "fraction", "text"])  # fmt: skip
def test_a_state_that_does_not_fit_names_the_culprit_and_changes_nothing(says, spoil):
    model = Model()
    state = {name: array + np.ones_like(array) for name, array in model.state_dict().items()}
    before = model.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=f"Model.load_state_dict.*{says}"):
        model.load_state_dict(state)
    assert_same(list(model.state_dict().values()), list(before.values()))
    model.load_state_dict({"norm.count": 3, "extra": 1}, strict=False)
    assert model.norm.count.item() == 3


def test_the_weight_of_a_loss_is_one(gpu):
    """As in PyTorch; it would stay behind when its model moves."""
    loss, given = nn.BCEWithLogitsLoss(pos_weight=[1.0, 3.0]), ts.ones(2)
    assert loss.state_dict()["pos_weight"].tolist() == [1.0, 3.0] and nn.BCEWithLogitsLoss().state_dict() == {}
    expected = loss(given, given).item()
    assert loss.to("cuda")(given.to("cuda"), given.to("cuda")).item() == expected


def test_a_buffer_in_two_places_is_one():
    model = Model()
    model.other = Norm()
    model.other.running = model.norm.running
    assert "other.running" in model.state_dict() and "other.running" not in dict(model.named_buffers())
    model.load_state_dict({**model.state_dict(), "other.running": [3.0, 4.0], "norm.running": [3.0, 4.0]})
    assert model.norm.running is model.other.running and model.norm.running.tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match=r"other\.running: another value"):
        model.load_state_dict({**model.state_dict(), "other.running": [5.0, 4.0]})


def test_a_copy_has_its_own():
    norm = Norm()
    twin = copy.deepcopy(norm)
    twin(leaf(np.ones((3, 2), "float32")))
    assert norm.count.item() == 0 and norm.running.tolist() == [0.0, 0.0]
    assert twin.count.item() == 1 and twin.running.tolist() == [0.25, 0.25]
    assert [type(buffer) for buffer in twin.buffers()] == [nn.Buffer] * 3


def test_a_buffer_in_a_plain_list_is_warned_of():
    model = nn.Module()
    model.masks = [nn.Buffer([1.0])]
    with pytest.warns(UserWarning, match=r"Module: .* 'masks'"):
        model.state_dict()


def test_a_picture_says_its_name_and_a_loaded_number_is_the_new_one():
    model = nn.Module()
    model.factor, model.shift = nn.Buffer(2.0, device="cpu"), nn.Buffer([1.0, 1.0], device="cpu")
    model.forward = lambda x: x * model.factor + model.shift
    x = leaf(np.ones(2, "float32"), "cpu")
    early = model(x)
    assert {item.label for item in items(ts.draw(early).view)} >= {"factor", "shift"}
    model.load_state_dict({"factor": 3.0, "shift": [1.0, 1.0]})
    numbers = [[n.static["value"] for y in (early, model(x)) for n in y.node.parents[0].parents if n.name == "factor"]]
    assert numbers == [[2.0, 3.0]]
