"""What takes a part's place is a part, what hides a method is refused, and parts in a plain list are warned of."""

import operator
import warnings

import numpy as np
import pytest
from laws import assert_same
from tagger import Tagger

import tinygrad_seq as ts
from tinygrad_seq import nn

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


@pytest.mark.parametrize("part", [lambda: nn.Parameter([1.0]), lambda: nn.Buffer([1.0]), lambda: nn.Linear(1, 1)])
@pytest.mark.parametrize("name, says", [
    ("a.b", r"'a\.b' cannot be the name of an nn\.\w+: use another, such as 'a_b', for in a state dots"),
    ("", "'' cannot be the name of an nn.*: use another, not empty"),
])  # fmt: skip
def test_a_name_that_no_state_can_say_is_refused(part, name, says):
    model = nn.Module()
    with pytest.raises(ValueError, match=f"^Module: {says}"):
        setattr(model, name, part())
    assert vars(model) == {}
    setattr(model, name, 3)  # which no state holds


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
