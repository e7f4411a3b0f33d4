"""Modules: how parts are found and named.

A module's parts are its attributes. Names come from where a part stands, a shared part is listed once, and every op
knows where in the model it was made.
"""

import copy
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tagger import IDS, NAMES, Tagger

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.graph import ancestors


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
    weights = {path.removesuffix("weight")[:-1].rpartition(".")[2] or "Net" for path, _ in nets[0].named_parameters()}
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
    assert lines[-1] == f"{len([*net.parameters()])} parameters" and lines[1].startswith("Net()")
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
    with pytest.raises(ValueError, match=r"assign: the Parameter.*int64.*float32"):
        nn.Parameter([1, 2], requires_grad=False).assign(np.float32([0.5, 1.0]))
