"""Whatever replaces the values of a module, a state, a dtype or a copy, replaces all of them or none."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from networks import seeds
from tagger import IDS, NAMES, Tagger, trained, values

import tinygrad_seq as ts
from tinygrad_seq import nn


@given(seed=seeds)
def test_a_state_moves_from_one_module_to_another(seed):
    ts.manual_seed(seed)
    model, other = Tagger(), Tagger()
    state = model.state_dict()
    assert list(state) == NAMES and all(type(array) is np.ndarray for array in state.values())
    nodes = [p.node for p in other.parameters()]
    other.load_state_dict(dict(reversed(state.items())))
    assert_same(values(other), values(model))
    assert [p.node for p in other.parameters()] == nodes
    assert_same([other(IDS).numpy()], [model(IDS).numpy()])
    before = values(model)
    for array in state.values():
        array[...] = 7.0  # the state is the caller's own: it was copied on the way out and on the way in
    assert_same(values(model), before)
    assert_same(values(other), before)
    state = model.state_dict()
    trained(model)
    assert_same(list(state.values()), before)


def test_a_state_of_another_dtype_is_taken_in_the_parameters_own():
    model = Tagger()
    model.load_state_dict({name: array.astype("float64") + 1e-12 for name, array in model.state_dict().items()})
    assert {p.dtype for p in model.parameters()} == {np.dtype("float32")}
    model.load_state_dict({name: ts.tensor(array) for name, array in model.state_dict().items()})
    model.load_state_dict({**model.state_dict(), "scale": [4]})
    assert model.scale.tolist() == [4.0]


@pytest.mark.parametrize("says, spoil", [
    (r"missing \['head\.bias', 'scale'\]", lambda state: [state.pop("head.bias"), state.pop("scale")]),
    (r"unexpected \['extra'\]", lambda state: state.update(extra=np.ones(1))),
    (r"head\.bias.*\(4,\).*\(3,\)", lambda state: state.update({"head.bias": np.zeros(4)})),
    (r"head\.bias.*\(1, 3\).*\(3,\)", lambda state: state.update({"head.bias": np.zeros((1, 3))})),
    (r"head\.bias", lambda state: state.update({"head.bias": np.array(["a", "b", "c"])})),
    (r"head\.bias", lambda state: state.update({"head.bias": np.array([None, 1, 2])})),
    (r"head\.bias", lambda state: state.update({"head.bias": np.array([1j, 2j, 3j])})),
    (r"head\.bias", lambda state: state.update({"head.bias": [[1.0], [2.0, 3.0]]})),
    (r"head\.bias", lambda state: state.update({"head.bias": None})),
], ids=["missing", "unexpected", "longer", "other axes", "text", "objects", "complex", "ragged", "none"])  # fmt: skip
def test_a_state_that_does_not_fit_names_the_culprit_and_changes_nothing(says, spoil):
    model = Tagger()
    before, state = values(model), {name: array + 1.0 for name, array in model.state_dict().items()}
    spoil(state)
    with pytest.raises((ValueError, TypeError), match=f"Tagger.load_state_dict.*{says}"):
        model.load_state_dict(state)
    assert_same(values(model), before)


def tied():
    model = nn.Module()
    model.embedding, model.head = nn.Embedding(5, 2), nn.Linear(2, 5)
    model.head.weight = model.embedding.weight
    return model


def test_a_shared_parameter_is_loaded_by_any_of_its_names():
    model, rows, bias = tied(), np.arange(10, dtype="float32").reshape(5, 2), np.ones(5, "float32")
    assert list(model.state_dict()) == ["embedding.weight", "head.weight", "head.bias"]  # as PyTorch's
    for names in (["embedding.weight"], ["head.weight"], ["embedding.weight", "head.weight"]):
        model.load_state_dict({**dict.fromkeys(names, rows), "head.bias": bias})
        assert model.head.weight is model.embedding.weight
        assert_same(values(model), [rows, bias])
        rows = rows + 1
    with pytest.raises(ValueError, match=r"head\.weight: another value"):
        model.load_state_dict({"embedding.weight": rows, "head.weight": rows + 1, "head.bias": bias + 1})
    assert_same(values(model), [rows - 1, bias])
    with pytest.raises(ValueError, match=r"missing \['embedding\.weight'\]"):
        model.load_state_dict({"head.bias": bias})


def test_what_is_shared_is_saved_under_each_name_for_a_model_in_which_it_is_not(tmp_path):
    model, other = tied(), nn.Module()
    model.again = model.head
    other.embedding, other.head, other.again = nn.Embedding(5, 2), nn.Linear(2, 5), nn.Linear(2, 5)
    ts.save(model.state_dict(), tmp_path / "state")
    assert other.load_state_dict(ts.load(tmp_path / "state")) == ([], [])
    assert len(values(model)) == 2 and len(values(other)) == 5
    for weight in (other.embedding.weight, other.head.weight, other.again.weight):
        assert_same([weight.numpy()], [model.head.weight.numpy()])
    names = list(model.state_dict())
    model.head.home = model  # a ring
    assert list(model.state_dict()) == names


@pytest.mark.parametrize("name", ["head", "head.weight.extra", "", ".", 7, None, ("head", "weight")])
def test_a_name_that_leads_to_no_parameter_is_unexpected(name):
    model = tied()
    before = values(model)
    with pytest.raises(ValueError, match="unexpected"):
        model.load_state_dict({**model.state_dict(), name: np.ones(1)})
    model.load_state_dict({name: np.ones(1)}, strict=False)
    assert_same(values(model), before)
    with pytest.raises(TypeError, match=r"load_state_dict: expected a dict.*list"):
        model.load_state_dict(["head.weight"])


def test_without_strict_what_fits_by_name_is_taken():
    model = Tagger()
    before = model.state_dict()
    found = model.load_state_dict({"scale": [9.0], "extra": [1.0]}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (NAMES[1:], ["extra"])
    assert model.load_state_dict(model.state_dict()) == ([], [])
    assert model.scale.tolist() == [9.0]
    assert_same(values(model)[1:], list(before.values())[1:])
    with pytest.raises(ValueError, match="scale"):
        model.load_state_dict({"scale": [9.0, 1.0]}, strict=False)


@given(seed=seeds)
def test_to_another_dtype_and_back(seed):
    ts.manual_seed(seed)
    model = Tagger()
    before, early = values(model), model(IDS)
    assert model.to("float64") is model
    assert {p.dtype for p in model.parameters()} == {np.dtype("float64")}
    assert model(IDS).dtype == np.float64
    assert [p.name for p in model.parameters()] == [name.rpartition(".")[2] for name in NAMES]
    trained(model)
    assert all(p.grad.dtype == np.float64 for p in model.parameters())
    model.load_state_dict(dict(zip(NAMES, before, strict=True)))
    assert_same(values(model.to(np.float32)), before)
    early.sum().backward()  # what was recorded before still has a backward


@pytest.mark.parametrize("target", ["int64", "bool", "complex64", "nonsense", "tpu", "cuda:77"])
def test_to_what_parameters_cannot_be_is_refused_and_changes_nothing(target):
    model = Tagger()
    trained(model)
    before, arrays, grads = values(model), [p.array for p in model.parameters()], [p.grad for p in model.parameters()]
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        model.to(target)
    assert_same(values(model), before)
    assert all(p.array is array and p.grad is g for p, array, g in zip(model.parameters(), arrays, grads, strict=True))


def test_modes_and_gradients_reach_every_part():
    model = Tagger()
    assert all(module.training for module in model.modules())
    assert model.eval() is model and not any(module.training for module in model.modules())
    assert model.train() is model and all(module.training for module in model.modules())
    trained(model)
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


class Turned(nn.Module):
    def train(self, mode=True):
        return super().train(not mode)


class Frozen(nn.Module):
    def train(self, mode=True):
        return super().train(False)


class Kept(nn.Module):
    def train(self, mode=True):
        return self


def modes(module, mode):
    """The mode of a module and of each inside it after `train(mode)`: PyTorch's recursion."""
    if isinstance(module, Kept):
        return {part: part.training for part in module.modules()}
    mode = {Turned: not mode, Frozen: False}.get(type(module), mode)
    return {module: mode} | {each: its for _, part in module.parts() for each, its in modes(part, mode).items()}


@given(tree=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([nn.Module, Turned, Frozen, Kept])), min_size=1),
       calls=st.lists(st.booleans(), min_size=1, max_size=3))  # fmt: skip
def test_a_train_of_its_own_says_the_mode_of_what_is_inside(tree, calls):
    parts = []
    for at, kind in tree:
        parts.append(kind())
        if parts[1:]:
            setattr(parts[at % (len(parts) - 1)], f"part{len(parts)}", parts[-1])
    for mode in calls:
        expected = modes(parts[0], mode)
        assert (parts[0].train() if mode else parts[0].eval()) is parts[0]
        assert {part: part.training for part in parts[0].modules()} == expected


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
@given(seed=seeds)
def test_a_copy_trains_by_itself(layer, seed):
    ts.manual_seed(seed)
    model = Tagger(layer)
    trained(model)
    twin = copy.deepcopy(model)
    assert [name for name, _ in twin.named_parameters()] == NAMES
    assert_same([twin(IDS).numpy()], [model(IDS).numpy()])
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in model.parameters()}
    assert_same([p.grad.numpy() for p in twin.parameters()], [p.grad.numpy() for p in model.parameters()])
    before, output, grads = values(model), model(IDS).numpy().copy(), [p.grad for p in model.parameters()]
    twin.zero_grad()
    trained(twin)
    assert_same(values(model), before)
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert_same([model(IDS).numpy()], [output])
    assert np.any(twin(IDS).numpy() != output)
    moved = [np.any(a != b) for a, b in zip(values(twin), before, strict=True)]
    assert all(moved)  # the copy's cells learned too, not only its own names for their weights
    for parameter, array in zip(twin.parameters(), before, strict=True):
        parameter.assign(array)
    assert_same([twin(IDS).numpy()], [output])
