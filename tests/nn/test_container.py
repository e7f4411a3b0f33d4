"""ModuleList and Sequential are Python lists whose parts are named by number; a summary counts what modules hold."""

import copy

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from laws import assert_same
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


def linear(bias=False):
    return nn.Linear(2, 2, bias=bias)


spots = st.integers(-6, 6)
slices = st.builds(slice, *[st.none() | spots] * 2, st.sampled_from([None, 1, 2, -1]))
changes = st.lists(st.one_of(
    st.tuples(st.just("append")), st.tuples(st.just("insert"), spots), st.tuples(st.just("del"), spots | slices),
    st.tuples(st.just("extend"), st.integers(0, 2)), st.tuples(st.just("set"), spots),
    st.tuples(st.just("get"), spots), st.tuples(st.just("get"), slices)), max_size=8)  # fmt: skip


def change(what, *where):
    """One change of a list, with new modules; the same call for a Python list and for ours."""
    new = [linear(), linear()]
    return {
        "append": lambda m: m.append(new[0]),
        "insert": lambda m: m.insert(where[0], new[0]),
        "del": lambda m: m.__delitem__(where[0]),
        "extend": lambda m: m.extend(new[: where[0]]),
        "set": lambda m: m.__setitem__(where[0], new[0]),
        "get": lambda m: m[where[0]],
    }[what]


@pytest.mark.parametrize("make", [nn.ModuleList, lambda modules: nn.Sequential(*modules)], ids=["list", "sequential"])
@example(length=3, steps=[("insert", 1), ("del", 0), ("del", slice(0, 2)), ("insert", -1), ("append",)])
@given(length=st.integers(0, 4), steps=changes)
def test_it_is_a_python_list(make, length, steps):
    expected = [linear() for _ in range(length)]
    ours = make(expected)
    for step in steps:
        apply = change(*step)
        try:
            wanted = apply(expected)
        except IndexError:
            with pytest.raises(IndexError, match=rf"no part at -?\d+, there are {len(ours)}"):
                apply(ours)
        else:
            found = apply(ours)
            returns_itself = step[0] in ("append", "extend", "insert")  # as in PyTorch; a list returns None
            assert found is (ours if returns_itself else wanted) or list(found) == wanted
            assert not isinstance(found, list) and (wanted is None or type(found) in (nn.Linear, type(ours)))
        assert len(ours) == len(expected) and bool(ours) == bool(expected)
        assert all(one is other for one, other in zip(ours, expected, strict=True))
        assert list(ours.state_dict()) == [f"{i}.weight" for i in range(len(expected))]
        assert list(ours.modules())[1:] == expected
        assert [module.listed_as for module in ours] == [str(i) for i in range(len(expected))]


@given(seed=seeds, length=st.integers(0, 4), at=st.integers(0, 4))
def test_sequential_is_composition_and_slices_are_parts_of_it(seed, length, at):
    ts.manual_seed(seed)
    layers = [linear(bias=True) for _ in range(length)]
    model, x = nn.Sequential(*layers), ts.randn(3, 2)
    expected = x
    for layer in layers:
        expected = layer(expected)
    assert_same([model(x).numpy()], [expected.numpy()])
    assert_same([model[at:](model[:at](x)).numpy()], [expected.numpy()])
    assert_same([copy.deepcopy(model)(x).numpy()], [expected.numpy()])


def appended(layers):
    found = nn.ModuleList()
    for layer in layers:
        found.append(layer)
    return found


COSTS = {
    "append": appended,
    "load": lambda layers: (model := nn.Sequential(*layers)).load_state_dict(model.state_dict()),
    "index": lambda layers: (model := nn.Sequential(*layers), [model[i] for i in range(-len(layers), len(layers))]),
}


@pytest.mark.parametrize("what", COSTS)
def test_cost_is_linear_in_the_number_of_modules(what, monkeypatch):
    """Counted: the parts that are looked at."""
    counts, parts, seen = [], nn.Module.parts, []

    def counted(self):
        for part in parts(self):
            seen.append(part)
            yield part

    monkeypatch.setattr(nn.Module, "parts", counted)
    for length in (50, 100):
        layers = [linear() for _ in range(length)]
        seen.clear()
        COSTS[what](layers)
        counts.append(len(seen) + length)
    assert counts[1] <= 2 * counts[0]


class Deep(nn.Module):
    def __init__(self):
        self.layers = nn.ModuleList([linear(), nn.ModuleList([linear()])])
        self.head = nn.Sequential(linear(), linear())

    def forward(self, x):
        for layer in self.layers[:1]:
            x = layer(x)
        return self.head(self.layers[1][0](x))


def test_names_are_pytorchs_and_scopes_say_where():
    model = Deep()
    assert list(model.state_dict()) == [
        "layers.0.weight", "layers.1.0.weight", "head.0.weight", "head.1.weight"
    ]  # fmt: skip
    nodes = [node for node in ancestors([model(ts.ones(1, 2)).node]) if node.op and node.op.name == "matmul"]
    assert [[value for _, value in node.scope.path()] for node in nodes] == [
        ["Deep", "layers.0"], ["Deep", "layers.1.0"], ["Deep", "head", "0"], ["Deep", "head", "1"],
    ]  # fmt: skip
    other = Deep()
    other.load_state_dict(model.state_dict())
    assert_same([other(ts.ones(1, 2)).numpy()], [model(ts.ones(1, 2)).numpy()])
    assert not any(module.training for module in model.eval().modules())


def test_a_subclass_may_have_parts_with_names_too():
    class Scaled(nn.Sequential):
        def __init__(self):
            super().__init__(linear(), linear())
            self.scale, self.norm = nn.Parameter([2.0]), linear()
            self.append(linear())

    model = Scaled()
    assert len(model) == 3
    assert list(model.state_dict()) == ["scale", "0.weight", "1.weight", "norm.weight", "2.weight"]
    assert (model.scale.name, model.norm.listed_as, model[2].listed_as) == ("scale", "norm", "2")


@pytest.mark.parametrize("kind, says, call", [
    (TypeError, "ModuleList: expected a module, got int", lambda: nn.ModuleList([linear(), 1])),
    (TypeError, "Sequential: expected a module, got list", lambda: nn.Sequential([linear()])),
    (TypeError, "ModuleList: index: expected ints.*'0'", lambda: nn.ModuleList()["0"]),
    (IndexError, "Sequential: no part at 1, there are 1", lambda: nn.Sequential(linear())[1]),
    (TypeError, "Sequential: expected a module, got int", lambda: nn.Sequential(linear()).insert(0, 1)),
    (TypeError, "ModuleList: index: expected ints.*'0'", lambda: nn.ModuleList().insert("0", linear())),
    (TypeError, "ModuleList: index: expected ints.*'0'", lambda: nn.ModuleList([linear()]).__delitem__("0")),
    (IndexError, "ModuleList: no part at 0, there are 0", lambda: nn.ModuleList().__delitem__(0)),
    (NotImplementedError, "ModuleList has no forward", lambda: nn.ModuleList()(1)),
])  # fmt: skip
def test_wrong_use_is_said(kind, says, call):
    with pytest.raises(kind, match=f"^{says}"):
        call()


def test_a_refused_change_changes_nothing():
    model = nn.Sequential(linear(), linear())
    before = list(model)
    for wrong in (lambda: model.append(1), lambda: model.extend([linear(), None]), lambda: model.__setitem__(0, "a"),
                  lambda: model.insert(0, 1)):  # fmt: skip
        with pytest.raises(TypeError, match="expected a module"):
            wrong()
    assert list(model) == before and list(model.state_dict()) == ["0.weight", "1.weight"]


# ------------------------------------------------------------------------------------------------------------- summary


def test_a_summary_lists_layers_shapes_and_counts_each_parameter_once():
    model = nn.Module()
    model.embedding = nn.Embedding(1000, 4, padding_idx=0)
    model.drop = nn.Dropout(0.1)
    model.head = nn.Linear(4, 1000)
    model.head.weight = model.embedding.weight
    model.head.bias.requires_grad = False
    text = model.summary()
    assert isinstance(text, str) and repr(text) == str(text)
    assert text.splitlines() == [
        "layer                                         parameter  shape                    count",
        "Module()",
        "embedding: Embedding(1000, 4, padding_idx=0)  weight     (1000, 4)                4,000",
        "drop: Dropout(p=0.1)",
        "head: Linear(4, 1000)                         weight     (1000, 4)  is embedding.weight",
        "                                              bias       (1000,)                  1,000",
        "5,000 parameters, 1,000 of them frozen",
    ]


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_summarys_total_is_the_sum_of_its_counts(layer):
    model = nn.Sequential(nn.OneHot(7), layer(7, 5, num_layers=2, bidirectional=True))
    lines = model.summary().splitlines()
    counts = [int(line.split()[-1].replace(",", "")) for line in lines[1:-1] if line.split()[-1][0].isdigit()]
    total = sum(np.prod(p.shape) for p in model.parameters())
    assert len(counts) == len(list(model.parameters()))
    assert sum(counts) == total == int(lines[-1].split()[0].replace(",", ""))


def test_a_list_has_no_gaps():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    first, last = model[0], model[2]
    del model[1]
    delattr(model, "0")
    assert [*model] == [last] and len(model) == 1 and list(model.state_dict()) == ["0.weight", "0.bias"]
    with pytest.raises(TypeError, match=r"Sequential: expected a module, got None: del layers\[0\] takes one out"):
        setattr(model, "0", None)
    model.insert(0, first)
    assert [*model] == [first, last]
    with pytest.raises(AttributeError):
        delattr(model, "7")
