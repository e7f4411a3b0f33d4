"""Modules: how parts are found and named, and that whatever replaces their values replaces all of them or none.

A module's parts are its attributes. Names come from where a part stands, a shared part is listed once, a state that
does not fit changes nothing and is said by name, a copy has weights of its own, and every op knows where in the model
it was made.
"""

import copy
import gc
import operator
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from networks import seeds

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


class Tagger(nn.Module):
    """Ids (T, B) -> logits (T, B, 3), with a scale of its own."""

    def __init__(self, layer=nn.LSTM):
        self.embedding = nn.Embedding(5, 2)
        self.encoder = layer(2, 3)
        self.head = nn.Linear(3, 3)
        self.scale = nn.Parameter([2.0])
        self.size = 7  # what is no parameter and no module is nobody's business

    def forward(self, ids):
        return self.head(self.encoder(self.embedding(ids))[0]) * self.scale


NAMES = ["scale", "embedding.weight", "encoder.weight_ih_l0", "encoder.weight_hh_l0", "encoder.bias_ih_l0",
         "encoder.bias_hh_l0", "head.weight", "head.bias"]  # fmt: skip
IDS = np.array([[0, 1], [4, 4], [2, 0]])


def values(module):
    return [parameter.numpy().copy() for parameter in module.parameters()]


def trained(module):
    """After one step of gradient descent."""
    nn.cross_entropy(module(IDS), IDS % 3).backward()
    ts.optim.SGD(module.parameters(), lr=0.5).step()


# --------------------------------------------------------------------------------------------------------- registration


def test_parts_are_found_by_assignment_and_named_by_their_place():
    model = Tagger()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [name for name, _ in model.named_parameters("model")] == ["model." + name for name in NAMES]
    assert [p.name for p in model.parameters()] == [name.rpartition(".")[2] for name in NAMES]
    assert list(map(type, model.modules())) == [Tagger, nn.Embedding, nn.LSTM, nn.Linear]
    assert [name for name, _ in model.named_modules()] == ["", "embedding", "encoder", "head"]
    assert all(p.requires_grad and p.is_leaf for p in model.parameters())


def test_assigning_again_replaces_and_deleting_removes():
    model = Tagger()
    model.scale = other = nn.Parameter([3.0])
    model.head = nn.Linear(3, 4)
    assert next(iter(model.parameters())) is other
    assert dict(model.named_parameters())["head.weight"].shape == (4, 3)
    del model.embedding
    model.encoder = None
    assert [name for name, _ in model.named_parameters()] == ["scale", "head.weight", "head.bias"]


def test_a_part_in_two_places_is_listed_once_and_learns_from_both():
    model = nn.Module()
    model.first = nn.Linear(2, 2, bias=False)
    model.again = model.first
    model.tied = nn.Linear(2, 2, bias=False)
    model.tied.weight = model.first.weight
    model.weight = model.first.weight
    assert list(model.parameters()) == [model.weight]
    assert len(list(model.modules())) == 3
    x = ts.ones(1, 2)
    model.tied(model.first(x)).sum().backward()
    w = model.weight.numpy()
    ones = np.ones((2, 1))
    expected = w.T @ ones @ ones.T + ones @ (w @ ones).T  # where it came first, and where it came second
    np.testing.assert_allclose(model.weight.grad.numpy(), expected, rtol=1e-5)


@given(depth=st.integers(1, 30))
def test_names_and_scopes_go_down_to_any_depth(depth):
    model = inner = nn.Module()
    for _ in range(depth):
        inner.inner = nn.Module()
        inner = inner.inner
    inner.weight = nn.Parameter([1.0])
    (name,) = model.state_dict()
    assert name == "inner." * depth + "weight"
    assert repr(model).count("(inner)") == depth


class Net(nn.Module):
    """Calls the modules among its attributes, in order."""

    def __init__(self):
        self.weight = nn.Parameter([1.0])

    def forward(self, x):
        x = x * self.weight
        for part in list(vars(self).values()):
            x = part(x) if isinstance(part, nn.Module) else x
        return x


edges = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("abcd")), max_size=9)


@given(edges=edges, again=edges)
def test_a_module_in_many_places_has_one_name_everywhere(edges, again):
    """Its first in the list of modules, in whatever order the places were taken."""
    nets = [Net() for _ in range(5)]
    for above, below, name in edges + again:
        if above < below:
            setattr(nets[above], name, nets[below])
    y = nets[0](ts.ones(1))
    listed = {path.rpartition(".")[2] or "Net" for path, _ in nets[0].named_modules()}
    scopes = {node.scope.path()[-1][1] for node in ancestors([y.node]) if node.op is not None}
    weights = {path.removesuffix("weight")[:-1].rpartition(".")[2] or "Net" for path in nets[0].state_dict()}
    assert listed == scopes == weights
    for path, module in nets[0].named_modules():
        assert module.listed_as == path.rpartition(".")[2]


def test_attributes_of_a_reader_are_kept():
    """What a module knows of itself has other names than what a reader may want to keep."""

    class Net(nn.Module):
        def __init__(self):
            self.name, self.place, self.mode, self.changes, self.path = "encoder", 1, "fast", [2], "net.ckpt"
            self.inner = nn.Linear(2, 2)

        def forward(self, x):
            return self.inner(x)

    mine = {"name": "encoder", "place": 1, "mode": "fast", "changes": [2], "path": "net.ckpt"}
    model = nn.Sequential(Net(), Net())
    model.eval()(ts.ones(1, 2))
    assert all(vars(net)[key] == value for net in model for key, value in mine.items())
    x = model(ts.tensor(np.ones((1, 2), "float32"), requires_grad=True))
    assert x.node.scope.path() == (("module", "Sequential"), ("module", "1"), ("module", "inner"))


def test_a_name_follows_the_module_that_is_called():
    shared, old, new = nn.Linear(1, 1), Net(), Net()
    old.encoder, old.again = shared, shared
    new.backbone = shared
    assert shared.listed_as == "backbone"

    def scopes(net):
        return {node.scope.path()[-1][1] for node in ancestors([net(ts.ones(1, 1)).node]) if node.op}

    assert scopes(new) == {"Net", "backbone"}
    old.last = nn.Linear(1, 1)
    assert scopes(old) == {"Net", "encoder", "last"}
    del old.encoder
    assert scopes(old) == {"Net", "again", "last"}
    old.first = old.second = nn.Parameter([1.0])
    assert old.first.name == "first"


@given(edges=edges)
def test_a_module_inside_itself_can_be_shown_listed_moved_and_copied(edges):
    nets = [Net() for _ in range(5)]
    nets[0].own = nets[0]
    for above, below, name in edges:
        setattr(nets[above], name, nets[below])
    net = nets[0]
    assert repr(net).startswith("Net(\n  (own): ...")
    lines = str(net.summary()).splitlines()
    assert lines[-1] == f"{len(net.state_dict())} parameters" and lines[1].startswith("Net()")
    net.eval().to("float32").load_state_dict(net.state_dict())
    assert not any(module.training for module in net.modules())
    twin = copy.deepcopy(net)
    assert twin.own is twin and list(twin.state_dict()) == list(net.state_dict())
    gc.collect(1)  # the cycles, here and now


def test_a_module_may_be_called_while_its_parts_are_gone_through():
    """As another thread may do, at the first call, which gives the names."""
    net = Net()
    net.inner = Net()
    for _, part in net.parts():
        if part is net.weight:
            net(ts.ones(1))
    assert net.named_at == net.inner.named_at == nn.Module.changes


def test_a_list_inside_itself():
    for make in (nn.ModuleList, lambda modules: nn.Sequential(*modules)):
        layers = make([nn.Linear(1, 1)])
        layers.append(layers)
        layers.listed_as = "other"
        assert list(layers.state_dict()) == ["0.weight", "0.bias"]
        assert "(1): ..." in repr(layers)


def test_every_op_knows_where_in_the_model_it_was_made():
    model = Tagger()
    nodes = [node for node in ancestors([model(IDS).node]) if node.op is not None]
    paths = {node.op.name: [n.scope.path() for n in nodes if n.op is node.op] for node in nodes}
    outer = ("module", "Tagger")
    assert paths["take"] == [(outer, ("module", "embedding"))]
    assert (outer, ("module", "head")) in paths["matmul"]
    inside = (outer, ("module", "encoder"), ("layer", 0), ("direction", "forward"))
    assert paths["tanh"] == [(*inside, ("step", t)) for t in range(3) for _ in range(2)]
    named = [(n.name, dict(n.scope.path()).get("step")) for n in nodes if n.name and n.op.name == "sigmoid"]
    assert named == [(gate, t) for t in range(3) for gate in ("input", "forget", "output")]
    assert nodes[-1].scope.path() == (outer,)


# ------------------------------------------------------------------------------------------------- what takes a place

IN_PLACE = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")


@pytest.mark.parametrize("name", IN_PLACE)
def test_augmented_assignment_to_a_parameter_is_refused(name):
    model = nn.Linear(2, 2)
    weight, before = model.weight, model.weight.numpy().copy()
    with pytest.raises(TypeError, match=r"^weight: .*nn\.Parameter.*assign"), ts.no_grad():
        model.weight = getattr(operator, f"i{name}")(model.weight, 2.0)
    assert model.weight is weight
    assert_same([weight.numpy()], [before])


@pytest.mark.parametrize("value", [
    ts.zeros(2, 2), np.zeros((2, 2)), 0.5, "weight", [nn.Parameter([1.0])], nn.Linear(2, 2), nn.Linear
], ids=lambda value: type(value).__name__)  # fmt: skip
@pytest.mark.parametrize("make, name", [
    (lambda: nn.Linear(2, 2), "weight"), (lambda: nn.LSTM(2, 2), "weight_hh_l0"), (lambda: nn.GRUCell(2, 2), "bias_ih"),
])  # fmt: skip
def test_only_a_parameter_takes_a_parameters_place(make, name, value):
    model = make()
    before = getattr(model, name)
    with pytest.raises(TypeError, match=rf"{name}.*nn\.Parameter.*{name}\.assign"):
        setattr(model, name, value)
    assert getattr(model, name) is before and dict(model.named_parameters())[name] is before
    setattr(model, name, other := nn.Parameter(before))
    assert dict(model.named_parameters())[name] is other
    setattr(model, name, None)
    assert name not in model.state_dict()


def test_only_a_part_takes_a_modules_place():
    model = nn.Sequential(nn.Linear(2, 2))
    model.head = nn.Linear(2, 2)
    for name in ("0", "head"):
        for value in (ts.zeros(2), 3, lambda x: x, [nn.Linear(2, 2)]):
            with pytest.raises(TypeError, match=rf"Sequential: '{name}' is an nn\.Module.*{type(value).__name__}"):
                setattr(model, name, value)
    model.head = nn.Dropout()
    model.head = None
    model.head = model.state = 3  # nothing was there, so anything may come
    assert len(list(model.modules())) == 2


METHODS = [name for name, value in vars(nn.Module).items() if callable(value)]


@pytest.mark.parametrize("name", METHODS)
def test_what_hides_a_method_is_refused_whatever_it_is(name):
    model = Tagger()
    values = [3, None, [1.0], nn.Parameter([1.0]), nn.Linear(1, 1), ts.zeros(1), lambda *_: None]
    for value in values[:-1] if name == "forward" else values:
        with pytest.raises(TypeError, match=f"Tagger: '{name}' is a method of every Module"):
            setattr(model, name, value)
    assert name not in vars(model)
    model.forward = lambda x: x + 1.0  # the one method that is there to be given
    assert model(ts.ones(1)).tolist() == [2.0]
    assert {"parameters", "forward", "train", "to", "modules", "state_dict", "parts", "__call__"} <= set(METHODS)


def test_a_module_is_frozen_by_its_parameters():
    layer = nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"^Linear: 'requires_grad' is each parameter's: for w in"):
        layer.requires_grad = False
    for w in layer.parameters():
        w.requires_grad = False
    assert not layer(ts.ones(1)).requires_grad


# --------------------------------------------------------------------------------------------------------- plain lists

HOLDERS = {
    "list": lambda parts: parts,
    "tuple": tuple,
    "dict": lambda parts: dict(enumerate(parts)),
    "nested": lambda parts: [{"a": (parts,)}],
    "set": set,
}


@pytest.mark.parametrize("part", [lambda: nn.Linear(1, 1), nn.Dropout, lambda: nn.Parameter([1.0])])
@pytest.mark.parametrize("look", [
    lambda m: list(m.parameters()), lambda m: m.train(), lambda m: m.state_dict(), lambda m: m.to("float64"),
    lambda m: m.zero_grad(),
])  # fmt: skip
def test_parts_in_a_plain_list_are_warned_of_once(part, look):
    for kind, hold in HOLDERS.items():
        model = nn.Module()
        model.inner = nn.Module()
        model.inner.layers = hold([part(), part()])
        with pytest.warns(UserWarning, match=r"Module: .* 'layers' .*nn\.ModuleList") as caught:
            look(model)
        assert len(caught) == 1, kind
        look(model)  # warnings are errors here


def test_a_list_that_is_filled_later_is_noticed():
    model = nn.Module()
    model.layers, model.head = [], nn.Linear(1, 1)
    assert len(list(model.parameters())) == 2
    model.layers.append(nn.Linear(1, 1))
    with pytest.warns(UserWarning, match=r"'layers'.*nn\.ModuleList"):
        assert len(list(model.parameters())) == 2


def test_lists_of_what_is_known_or_is_no_part_are_no_ones_business():
    model = nn.Module()
    model.first, model.weight = nn.Linear(1, 1), nn.Parameter([1.0])
    model.order = [model.first, (model.weight, None), {"a": model}]
    model.rnn, model.data = nn.LSTM(1, 2, num_layers=2, bidirectional=True), [ts.ones(2), 3, "a", [[1.0] * 1000] * 1000]
    model.data.append(model.data)
    model.windows = ts.truncated(nn.LSTM(1, 2), (nn.Parameter([1.0]), nn.Parameter([1.0])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(model.train().parameters())) == 3 + 16 + 4
        list(model.rnn.parameters())


# ---------------------------------------------------------------------------------------------------------------- state


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
    """PyTorch's state_dict has all of them."""
    model, rows, bias = tied(), np.arange(10, dtype="float32").reshape(5, 2), np.ones(5, "float32")
    assert list(model.state_dict()) == ["embedding.weight", "head.bias"]
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
    model.load_state_dict({"scale": [9.0], "extra": [1.0]}, strict=False)
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


def test_a_repr_is_the_tree():
    assert repr(Tagger()) == (
        "Tagger(\n  (embedding): Embedding(5, 2)\n  (encoder): LSTM(2, 3)\n  (head): Linear(3, 3)\n)"
    )
    assert repr(nn.GRU(2, 3, num_layers=2, batch_first=True, bidirectional=True)) == (
        "GRU(2, 3, num_layers=2, batch_first=True, bidirectional=True)"
    )
    assert repr(nn.Linear(2, 3, bias=False)) == "Linear(2, 3, bias=False)"
    assert repr(nn.Parameter(ts.tensor([1.0], device="cpu"))) == "Parameter([1.])"


def test_what_is_not_there_is_said():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)
    with pytest.raises(AttributeError, match="nothing"):
        nn.Linear(2, 2).nothing
    with pytest.raises(ValueError, match=r"assign: weight.*\(2, 2\).*\(3,\)"):
        nn.Linear(2, 2).weight.assign(np.zeros(3, "float32"))
    with pytest.raises(ValueError, match=r"assign: weight.*float32.*float64"):
        nn.Linear(2, 2).weight.assign(np.zeros((2, 2)))
