"""A name of PyTorch or NumPy that does not exist is an error that says what it is called here (docs/names.md)."""

import copy

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.hints import ARGUMENTS, ATTRIBUTES

OWNERS = {"Tensor": ts.ones(2), "Linear": nn.Linear(2, 2), "tinygrad_seq": ts, "tinygrad_seq.nn": nn,
          "tinygrad_seq.optim": ts.optim, "tinygrad_seq.data": ts.data, "tinygrad_seq.flow": ts.flow,
          "tinygrad_seq.nn.init": nn.init}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_hint_is_an_attribute_error(name):
    without = [owner for owner, thing in OWNERS.items() if name not in dir(thing)]
    assert without
    for owner in without:
        assert not hasattr(OWNERS[owner], name)
        with pytest.raises(AttributeError) as caught:
            getattr(OWNERS[owner], name)
        assert str(caught.value) == f"{owner} has no {name!r}; here: {ATTRIBUTES[name]}"


def test_no_hint_is_for_something_that_exists():
    assert [name for name in ATTRIBUTES if hasattr(ts.ones(2), name) and hasattr(ts, name)] == []


@pytest.mark.parametrize("owner", [owner for owner, thing in OWNERS.items() if hasattr(thing, "__path__")])
@pytest.mark.parametrize("name", ["Dense", "functional", "SimpleRNN", "DataLoader", "add_", "Value"])
def test_an_import_says_the_same(owner, name):
    with pytest.raises(AttributeError) as as_attribute:
        getattr(OWNERS[owner], name)
    with pytest.raises(ImportError) as imported:
        exec(f"from {owner} import {name}")
    assert str(imported.value) == str(as_attribute.value)
    with pytest.raises(ImportError, match="cannot import name 'foo'"):
        exec(f"from {owner} import foo")


@pytest.mark.parametrize("line, name", [
    ("import tinygrad_seq.nn.functional as F", "functional"),
    ("from tinygrad_seq.nn.utils.rnn import pad_sequence", "utils"),
    ("from tinygrad_seq.optim.lr_scheduler import StepLR", "lr_scheduler"),
    ("from tinygrad_seq.utils.data import DataLoader", "utils"), ("import tinygrad_seq.layers", "layers"),
])  # fmt: skip
def test_a_submodule_of_another_library_is_said_where_it_is(line, name):
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(line)
    assert str(caught.value).endswith(f" has no {name!r}; here: {ATTRIBUTES[name]}")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'tinygrad_seq\.foo'$"):
        exec("import tinygrad_seq.foo")


def test_a_room_that_was_not_loaded_yet_is_imported():
    exec("from tinygrad_seq import testing, explain")


ROOMS = {"ts": ts, "ts.nn": nn, "ts.optim": ts.optim, "ts.data": ts.data, "ts.flow": ts.flow}


@pytest.mark.parametrize("room", ROOMS)
def test_what_stands_in_another_room_is_named_in_full(room):
    names = {name for name, found in vars(ROOMS[room]).items() if callable(found) and not name.startswith("_")}
    for elsewhere in ROOMS.values():
        for name in names - set(dir(elsewhere)) - ATTRIBUTES.keys():
            with pytest.raises(AttributeError) as caught:
                getattr(elsewhere, name)
            assert str(caught.value).endswith(f"; here: {room}.{name}")


@pytest.mark.parametrize("owner", OWNERS)
def test_an_unknown_name_is_just_unknown(owner):
    with pytest.raises(AttributeError, match=f"^{owner} has no 'foo'$"):
        OWNERS[owner].foo
    assert getattr(OWNERS[owner], "foo", 3) == 3


def test_operations_in_place():
    with pytest.raises(AttributeError, match="Tensor has no 'add_'; here: a Tensor's value never changes"):
        ts.ones(2).add_(1.0)


x = ts.ones(2)
CALLS = {
    "sum": lambda **wrong: x.sum(**wrong),
    "mean": lambda **wrong: ts.mean(x, **wrong),
    "concatenate": lambda **wrong: ts.cat([x], **wrong),
    "split": lambda **wrong: ts.split(x, 1, **wrong),
    "softmax": lambda **wrong: ts.softmax(x, **wrong),
    "reshape": lambda **wrong: x.reshape(2, **wrong),
    "clip": lambda **wrong: x.clip(**wrong),
    "one_hot": lambda **wrong: ts.one_hot([1], **wrong),
    "LogSoftmax": lambda **wrong: nn.LogSoftmax(**wrong),
    "Softmax": lambda **wrong: nn.Softmax(axis=1, **wrong),
    "zero_grad": lambda **wrong: nn.Linear(2, 2).zero_grad(**wrong),
    "Linear": lambda **wrong: nn.Linear(2, **wrong),
    "GRU": lambda **wrong: nn.GRU(1, 1)(ts.ones(2, 1, 1), **wrong),
    "Dropout": lambda **wrong: nn.Dropout()(ts.ones(2), **wrong),
    "Embedding": lambda **wrong: nn.Embedding(2, 2, **wrong),
    "LSTM": lambda **wrong: nn.LSTM(2, 3, **wrong),
    "RNN": lambda **wrong: nn.RNN(2, 3, num_layers=2, **wrong),
    "MSELoss": lambda **wrong: nn.MSELoss(**wrong),
    "Adam": lambda **wrong: ts.optim.Adam([nn.Parameter([1.0])], **wrong),
    "batches": lambda **wrong: ts.data.batches([1.0], **wrong),
    "pad_sequences": lambda **wrong: ts.data.pad_sequences([[1.0]], **wrong),
    "bptt_batches": lambda **wrong: ts.data.bptt_batches([1.0], **wrong),
    "windows": lambda **wrong: ts.data.windows([1.0], **wrong),
    "Vocabulary": lambda **wrong: ts.data.Vocabulary("ab", **wrong),
    "Vocabulary.of": lambda **wrong: ts.data.Vocabulary.of("ab", **wrong),
    "cross_entropy": lambda **wrong: nn.cross_entropy(x, **wrong),
    "nll_loss": lambda **wrong: nn.nll_loss(x, **wrong),
    "mse_loss": lambda **wrong: nn.mse_loss(x, x, **wrong),
    "binary_cross_entropy_with_logits": lambda **wrong: nn.binary_cross_entropy_with_logits(x, x, **wrong),
    "dropout": lambda **wrong: nn.dropout(x, 0.5, **wrong),
    "from_keras": lambda **wrong: nn.from_keras(nn.Linear(2, 2), **wrong),
    "uniform_": lambda **wrong: nn.init.uniform_(nn.Parameter([1.0]), **wrong),
    "ReLU": lambda **wrong: nn.ReLU(**wrong),
    "Tensor.backward": lambda **wrong: x.backward(**wrong),
    "grad": lambda **wrong: ts.grad(x, **wrong),
    "gradcheck": lambda **wrong: ts.gradcheck(abs, **wrong),
    "gradgradcheck": lambda **wrong: ts.gradgradcheck(abs, **wrong),
    "compare_devices": lambda **wrong: ts.compare_devices(nn.Linear(2, 2), x, **wrong),
    "Linear.state_dict": lambda **wrong: nn.Linear(2, 2).state_dict(**wrong),
    "Linear.load_state_dict": lambda **wrong: nn.Linear(2, 2).load_state_dict({}, **wrong),
    "clip_grad_norm_": lambda **wrong: ts.optim.clip_grad_norm_([], **wrong),
    "clip_grad_value_": lambda **wrong: ts.optim.clip_grad_value_([], **wrong),
    "SGD.step": lambda **wrong: ts.optim.SGD([nn.Parameter([1.0])], 0.1).step(**wrong),
    "StepLR.step": lambda **wrong: ts.optim.StepLR(ts.optim.SGD([nn.Parameter([1.0])], 0.1), 3).step(**wrong),
    "save": lambda **wrong: ts.save(1, **wrong),
    "load": lambda **wrong: ts.load("a file", **wrong),
    "StepLR": lambda **wrong: ts.optim.StepLR(ts.optim.SGD([nn.Parameter([1.0])], 0.1), 3, **wrong),
}


@pytest.mark.parametrize("function", CALLS)
def test_an_argument_of_another_name(function):
    """A hint that says an argument says one that the function has."""
    with pytest.raises(TypeError) as caught:
        CALLS[function](foo=1)
    its = str(caught.value).rpartition("its arguments: ")[2].split(", ")
    for argument in sorted(ARGUMENTS.keys() - its):
        hint = ARGUMENTS[argument]
        other = hint.partition("=")[0] if "=" in hint else ""
        known = not other.isidentifier() or other in its
        with pytest.raises(TypeError) as caught:
            CALLS[function](**{argument: 1})
        says = f"; here: {hint}" if known else f", its arguments: {', '.join(its)}"
        assert str(caught.value) == f"{function}: there is no argument {argument!r}{says}"


@pytest.mark.parametrize("name, of", [
    ("tril", np.tril), ("triu", np.triu), ("diff", lambda x: np.diff(x, axis=0)), ("square", np.square),
    ("reciprocal", np.reciprocal), ("rsqrt", lambda x: 1.0 / np.sqrt(x)), ("mT", lambda x: x.swapaxes(1, 2)),
    ("full_like", lambda x: np.full_like(x, 0.5)), ("masked_fill", lambda x: np.where(x > 1.0, 0.5, x)),
    ("rand_like", None), ("randn_like", None),
    ("MaxPool1d", lambda x: x.reshape(2, 3, 1, 2).max(-1)), ("Flatten", lambda x: x.reshape(2, 6)),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_hint_says_gives_what_the_name_gives_elsewhere(name, of, dtype):
    x = ts.tensor(np.arange(1.0, 13.0).reshape(2, 3, 2), dtype)
    found = eval(ATTRIBUTES[name], {"x": x, "ts": ts, "np": np, "value": 0.5, "mask": x > 1.0, "axis": 0, "size": 2})
    expected = x.numpy() if of is None else of(x.numpy())
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert of is None or np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("name, of, slope", [
    ("LeakyReLU", lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1.0, 0.01)),
    ("ELU", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
    ("Softplus", lambda x: np.logaddexp(x, 0), lambda x: 1 / (1 + np.exp(-x))),
])  # fmt: skip
def test_an_activation_in_a_hint_has_its_values_and_slopes_everywhere(name, of, slope):
    points = np.array([-700.0, -3.0, -0.1, 0.5, 3.0, 700.0])
    x = ts.tensor(points, requires_grad=True)
    y = eval(ATTRIBUTES[name], {"x": x, "ts": ts})
    np.testing.assert_allclose(y.numpy(), of(points), atol=1e-12)
    np.testing.assert_allclose(ts.grad(y.sum(), x).numpy(), slope(points), atol=1e-12)


def test_a_span_is_of_single_precision():
    found = eval(ATTRIBUTES["linspace"], {"ts": ts, "np": np, "start": 0, "stop": 1, "n": 3})
    assert (found.dtype, found.tolist()) == ("float32", [0.0, 0.5, 1.0])


def test_what_a_device_or_ts_cuda_has_elsewhere():
    for thing, name, says in [(ts.device("cpu"), "type", "device"), (ts.cuda, "manual_seed_all", "tinygrad_seq.cuda")]:
        assert not hasattr(thing, name)
        with pytest.raises(AttributeError, match=f"^{says} has no {name!r}; here: "):
            getattr(thing, name)


@pytest.mark.parametrize("x", [ts.ones(2), nn.Parameter([1.0])])
def test_data_is_neither_read_nor_set(x):
    assert not hasattr(x, "data")
    for call in (lambda: x.data, lambda: setattr(x, "data", 1.0)):
        with pytest.raises(AttributeError, match=f"^{type(x).__name__} has no 'data'; here: .*assign"):
            call()


@pytest.mark.parametrize("make, says", [
    (lambda: nn.Linear(4), "Linear: missing a required argument: 'out_features'; its arguments: in_features, out_feat"),
    (lambda: nn.LSTM(4, 4)(), "LSTM: missing a required argument: 'x'; its arguments: x, state, lengths"),
    (lambda: nn.LSTM(4), "LSTM: missing a required argument: 'hidden_size'; its arguments: input_size, hidden_size, "),
    (lambda: nn.GRU(4, 3, proj_size=2), "GRU: there is no argument 'proj_size', its arguments: input_size, hidden_s"),
    (lambda: nn.Dropout(0.1, 0, 2), "Dropout: too many positional arguments; its arguments: p, shared_axis"),
    (lambda: ts.optim.SGD([nn.Parameter([1.0])]).step(max), "SGD.step: too many positional arguments; its arg"),
    (lambda: ts.optim.SGD(), "SGD: missing a required argument: 'parameters'; its arguments: parameters, lr"),
])  # fmt: skip
def test_what_is_made_with_a_wrong_number_of_arguments(make, says):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value).startswith(says)


def test_an_error_inside_a_forward_is_its_own():
    for function, says in ((lambda x: x + "a", "add|str"), (max, "not iterable"), (lambda x: len(3), "len")):
        layer = nn.Linear(2, 2)
        layer.forward = function
        with pytest.raises(TypeError, match=says):
            layer(3)


def test_a_function_without_an_argument_is_named_once():
    with pytest.raises(TypeError, match=r"^one_hot: missing 1 required positional argument: 'count'$"):
        ts.one_hot([1])


def test_a_class_of_a_reader_is_made_as_python_makes_it():
    class Net(nn.Module):
        def __init__(self, hidden):
            super().__init__()

    with pytest.raises(TypeError, match=r"Net.__init__\(\) got an unexpected keyword argument 'units'"):
        Net(units=3)


@pytest.mark.parametrize("function", CALLS)
def test_an_unknown_argument_gets_the_list(function):
    with pytest.raises(TypeError, match=f"^{function}: there is no argument 'foo', its arguments: (?!self)"):
        CALLS[function](foo=1)
    with pytest.raises(TypeError, match=r"^zero_grad: there is no argument 'set_to_none'; here: nothing"):
        ts.optim.SGD([nn.Parameter([1.0])], 0.1).zero_grad(set_to_none=True)


def test_an_error_inside_a_property_is_its_own():
    class Net(nn.Module):
        @property
        def size(self):
            return self.not_there

    with pytest.raises(AttributeError, match=r"^Net has no 'not_there'$"):
        Net().size


def test_copies_are_not_disturbed():
    x, net = ts.ones(2, requires_grad=True), nn.Linear(2, 2)
    assert copy.deepcopy(x).tolist() == [1.0, 1.0] and copy.copy(net).weight is net.weight
