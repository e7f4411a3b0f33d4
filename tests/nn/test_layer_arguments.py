"""What a layer, a loss or a start is made with or given: nonsense is said by name, at once, and draws nothing."""

import copy

import numpy as np
import pytest
from networks import KINDS

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine.hints import keywords


class Still(nn.Module):
    """A cell that returns whatever it is told to."""

    hidden_size = 4

    def __init__(self, answer):
        self.answer = answer

    def forward(self, x, state):
        return self.answer(state)


def recurrent(answer, *state):
    return nn.Recurrent(Still(answer))(ts.zeros(5, 2, 3), *state)


@pytest.mark.parametrize("kind, says, call", [
    (TypeError, "Linear: in_features must be an int.*'3'", lambda: nn.Linear("3", 4)),
    (TypeError, "Linear: out_features must be an int.*None", lambda: nn.Linear(3, None)),
    (TypeError, "RNN: hidden_size must be an int.*4.5", lambda: nn.RNN(3, 4.5)),
    (TypeError, "GRU: num_layers must be an int.*1.5", lambda: nn.GRU(3, 4, num_layers=1.5)),
    (TypeError, "LSTM: dropout must be a number.*None", lambda: nn.LSTM(3, 4, 2, dropout=None)),
    (TypeError, "LSTM: proj_size must be an int.*'a'", lambda: nn.LSTM(3, 4, proj_size="a")),
    (TypeError, "Embedding: num_embeddings must be an int.*'5'", lambda: nn.Embedding("5", 3)),
    (TypeError, "OneHot: num_classes must be an int.*3.5", lambda: nn.OneHot(3.5)),
    (TypeError, "dropout: generator.*default_rng.*str", lambda: nn.dropout(ts.ones(3), 0.5, generator="a")),
    (TypeError, "normal_: generator.*default_rng.*int", lambda: nn.init.normal_(nn.Parameter([1.0]), generator=3)),
    (TypeError, "uniform_: a must be a number.*'a'", lambda: nn.init.uniform_(nn.Parameter([1.0]), "a")),
    (TypeError, "constant_: val must be a number.*list", lambda: nn.init.constant_(nn.Parameter([1.0]), [1])),
    (TypeError, "orthogonal_: gain must be a number", lambda: nn.init.orthogonal_(nn.Linear(2, 2).weight, gain="a")),
    (TypeError, "label_smoothing must be a number.*None",
     lambda: nn.cross_entropy(ts.zeros(2, 3), [0, 1], label_smoothing=None)),
    (TypeError, "CrossEntropyLoss: ignore_index must be an int.*'sum'",
     lambda: nn.CrossEntropyLoss("sum")(ts.zeros(2, 3), [0, 1])),
    (TypeError, "cross_entropy: targets must be integers.*bool", lambda: nn.cross_entropy(ts.zeros(1, 3), [True])),
    (TypeError, "from_keras: .*get_weights.*None", lambda: nn.from_keras(nn.Linear(2, 2), None)),
    (ValueError, "Recurrent: the first state.*tuple", lambda: recurrent(lambda h: h, ())),
    (ValueError, "Recurrent: Still must return.*ndarray", lambda: recurrent(lambda h: np.zeros((2, 4)))),
    (TypeError, "gradcheck.*Tensor.*float", lambda: ts.gradcheck(lambda x: 3.0, nn.Parameter(np.ones(2)))),
    (TypeError, "gradcheck.*Tensor.*float", lambda: ts.gradgradcheck(lambda x: 3.0, nn.Parameter(np.ones(2)))),
    (TypeError, "batches: generator.*default_rng", lambda: ts.data.batches([1], size=1, shuffle=True, generator="a")),
    (TypeError, r"Linear: x must be a Tensor, got numpy.ndarray: ts.tensor\(",
     lambda: nn.Linear(3, 4)(np.ones((2, 3)))),
    (TypeError, r"Linear: x must be a Tensor, got tuple: a recurrent layer returns \(out, state\)",
     lambda: nn.Sequential(nn.GRU(3, 4), nn.Linear(4, 2))(ts.zeros(5, 2, 3))),
    (TypeError, "Sequential: expected a module, got list: pass modules one by one",
     lambda: nn.Sequential([nn.Linear(2, 2)])),
    (TypeError, r"Sequential: expected a module, got type: ReLU\(...\) makes one", lambda: nn.Sequential(nn.ReLU)),
    (TypeError, r"save: state is .*Linear.*: save its .state_dict\(\)", lambda: ts.save(nn.Linear(2, 2), "model")),
    (TypeError, "tensor: only floating.*int64: write 1.0, not 1", lambda: ts.tensor(2, requires_grad=True)),
    (TypeError, "Recurrent: batch_first must be True or False, got 'no'",
     lambda: nn.Recurrent(nn.GRUCell(3, 4), batch_first="no")),
    (TypeError, "Recurrent: reverse must be True or False, got 2", lambda: nn.Recurrent(nn.GRUCell(3, 4), reverse=2)),
    (TypeError, "Linear.train: mode must be True or False, got 'no'", lambda: nn.Linear(2, 2).train("no")),
    (TypeError, "Softmax: axis must be an int, got True", lambda: nn.Softmax(True)),
    (TypeError, "Embedding.from_pretrained: freeze must be True or False, got 'no'",
     lambda: nn.Embedding.from_pretrained(np.ones((2, 2)), freeze="no")),
    (TypeError, "Embedding.from_pretrained: weight: expected numbers, got str",
     lambda: nn.Embedding.from_pretrained("weights.npy")),
    (ValueError, "Embedding.from_pretrained: padding_idx must be .*got 3",
     lambda: nn.Embedding.from_pretrained(np.ones((2, 2)), padding_idx=3)),
    (TypeError, "Embedding: padding_idx must be an int, got 1.0", lambda: nn.Embedding(3, 2, padding_idx=1.0)),
    (TypeError, "Dropout: x must be a Tensor, got str", lambda: nn.Dropout(0.5).eval()("x")),
    (TypeError, "Dropout: x must be a Tensor, got numpy.ndarray", lambda: nn.Dropout(0.0)(np.ones(2))),
    (ValueError, "MSELoss: reduction must be.*Tensor|tensor", lambda: nn.MSELoss(ts.ones(2))),
    (ValueError, "BCEWithLogitsLoss: reduction must be.*'avg'", lambda: nn.BCEWithLogitsLoss("avg")),
    (TypeError, "BCEWithLogitsLoss: pos_weight: expected numbers, got str",
     lambda: nn.BCEWithLogitsLoss(pos_weight="a")),
    (TypeError, "mse_loss: targets: expected numbers, got NoneType", lambda: nn.mse_loss(ts.ones(2), None)),
    (TypeError, "Buffer: expected numbers, got str", lambda: nn.Buffer("a")),
    (ValueError, "uniform_: a and b must be finite.*inf",
     lambda: nn.init.uniform_(nn.Parameter([1.0]), 0.0, float("inf"))),
    (ValueError, "xavier_uniform_: gain must not be negative, got -1",
     lambda: nn.init.xavier_uniform_(nn.Parameter([[1.0]]), gain=-1)),
    (ValueError, "xavier_normal_: gain must not be negative, got nan",
     lambda: nn.init.xavier_normal_(nn.Parameter([[1.0]]), gain=float("nan"))),
    (TypeError, "Own: 'parts' is a method", lambda: Own("parts")),
    (TypeError, "Own: 'forward' is a method", lambda: Own("forward")),
])
def test_wrong_arguments_are_said(kind, says, call):
    with pytest.raises(kind, match=f"(?s){says}") as caught:
        call()
    assert type(caught.value) is kind


RUNNERS = {
    "layer": lambda kind: (kind.layer(3, 4, **kind.options), ts.zeros(5, 2, 3), (1, 2, 4)),
    "cell": lambda kind: (kind.cell(3, 4, **kind.options), ts.zeros(2, 3), (2, 4)),
    "Recurrent": lambda kind: (nn.Recurrent(kind.cell(3, 4, **kind.options)), ts.zeros(5, 2, 3), (2, 4)),
}


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of, make", [
    ("ndarray", np.zeros), ("list", lambda shape: np.zeros(shape).tolist()), ("dict", lambda _: {}),
    ("float", lambda _: 0.5),
], ids=["ndarray", "list", "dict", "float"])  # fmt: skip
def test_a_state_is_of_tensors_and_of_so_many(runner, kind, of, make):
    """A state of something else is a TypeError that says of what, wherever in a tuple it stands."""
    run, x, shape = RUNNERS[runner](KINDS[kind])
    right, wrong, count = ts.zeros(*shape), make(shape), KINDS[kind].cell.states
    wrongs = [(wrong, of)]
    if count == 2:
        wrongs += [((wrong, right), of), ((right, wrong), of), ([right, wrong], of), ((right, None), "NoneType")]
    for state, found in wrongs:
        says = rf"^{type(run).__name__}: the (first )?state must be a .*Tensor.*got.*{found}"
        with pytest.raises(TypeError, match=says):
            run(x, state)
    for state in ((), (right,) * (count + 1), (right,) * (count - 1)):
        with pytest.raises(ValueError, match=r"^\w+: the (first )?state must be a .*Tensor.*got \("):
            run(x, state)
    run(x, right if count == 1 else (right, right))


class Own(nn.Module):
    def __init__(self, name):
        setattr(self, name, nn.Linear(2, 2))


ARGUMENTS = {
    nn.Linear: {"in_features": 3, "out_features": 2}, nn.LayerNorm: {"normalized_shape": (3,), "eps": 0.5},
    nn.Embedding: {"num_embeddings": 5, "embedding_dim": 2, "padding_idx": 1}, nn.OneHot: {"num_classes": 3},
    nn.Dropout: {"p": 0.25, "shared_axis": 0}, nn.Softmax: {"axis": 1}, nn.MSELoss: {"reduction": "sum"},
    nn.NLLLoss: {"ignore_index": 3, "reduction": "sum"}, nn.BCEWithLogitsLoss: {"reduction": "none", "pos_weight": 2.0},
    nn.CrossEntropyLoss: {"ignore_index": 3, "reduction": "none", "label_smoothing": 0.5},
    nn.Recurrent: {"cell": nn.GRUCell(3, 4), "batch_first": True, "reverse": True},
} | {
    kind: {"input_size": 3, "hidden_size": 4, "bias": False} | options for kind, options in {
        nn.RNNCell: {"nonlinearity": "relu"}, nn.LSTMCell: {"proj_size": 2}, nn.GRUCell: {"reset_after": False},
        nn.RNN: {"nonlinearity": "relu", "bidirectional": True}, nn.LSTM: {"proj_size": 2, "batch_first": True},
        nn.GRU: {"reset_after": False, "num_layers": 2, "dropout": 0.5},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("kind", ARGUMENTS, ids=lambda kind: kind.__name__)
def test_an_argument_is_an_attribute(kind):
    """What a layer was made with can be asked of it and of its copies."""
    given, made = ARGUMENTS[kind], kind(**ARGUMENTS[kind])
    assert {name: getattr(made, name) for name in given} == given
    every = dict.fromkeys([*keywords(kind.__init__), *keywords(getattr(kind, "make_cell", kind.__init__))])
    assert all(hasattr(copy.deepcopy(made), name) for name in every)


def test_a_size_is_that_of_the_weight_unless_it_is_set_by_hand():
    layer, table = nn.Linear(3, 2), nn.Embedding.from_pretrained(ts.ones(5, 2))
    layer.weight, layer.bias = nn.Parameter(ts.ones(4, 3)), nn.Parameter(ts.ones(4))
    table.weight = nn.Parameter(ts.ones(7, 2))
    assert (layer.in_features, layer.out_features, table.num_embeddings, table.embedding_dim) == (3, 4, 7, 2)
    layer.out_features = 9
    assert layer.out_features == 9 and copy.copy(layer).out_features == 9
    scaled = ts.replay(lambda x: layer(x) / layer.in_features + layer.out_features)
    assert [scaled(ts.zeros(1, 3)).tolist() for _ in range(2)] == [(layer(ts.zeros(1, 3)) / 3 + 9).tolist()] * 2
    del layer.weight
    with pytest.raises(AttributeError, match="Linear has no 'weight'"):
        layer.in_features


def test_a_tensor_of_another_library_is_named_with_it():
    other = type("Tensor", (), {"__module__": "torch", "__array__": lambda self: np.ones(3)})
    with pytest.raises(TypeError, match=r"^Linear: x must be a Tensor, got torch\.Tensor: ts\.tensor\(x\) makes one$"):
        nn.Linear(3, 2)(other())
    with pytest.raises(TypeError, match=r"must be a tuple of 2 Tensors, got \(Tensor, torch\.Tensor\)"):
        nn.LSTM(3, 2)(ts.ones(4, 1, 3), (ts.zeros(1, 1, 2), other()))


def test_no_targets_at_all_are_integers():
    assert nn.cross_entropy(ts.zeros(0, 3), [], reduction="sum").item() == 0.0


@pytest.mark.parametrize("value", [
    [3.0, 4.0], [3, 4], ts.tensor([3.0, 4.0]), np.float32([3.0, 4.0]), np.array([3.0, 4.0]), ts.tensor([3, 4]),
])  # fmt: skip
def test_numbers_are_assigned_in_the_parameters_dtype(value):
    weight = nn.Parameter([1.0, 2.0])
    weight.assign(value)
    assert (weight.tolist(), weight.dtype) == ([3.0, 4.0], np.float32)


def test_integers_of_numpy_are_integers():
    """As sizes they always were."""
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert layers[np.int64(-1)] is layers[2] and nn.Embedding(3, 2, padding_idx=np.int64(-1)).padding_idx == 2


def test_a_whole_number_is_assigned_as_a_list_of_them_is():
    weight = nn.Parameter(1.0)
    weight.assign(2)
    assert (weight.item(), weight.dtype) == (2.0, np.float32)


def test_a_large_vocabulary_is_no_square_matrix():
    """Bytes for the ids' rows, not for count * count."""
    assert ts.one_hot([0, 299_999], 300_000).numpy().sum() == 2.0


@pytest.mark.parametrize("target", [ts.ones(1).device, "float32", np.float32])
def test_to_where_it_is_already_keeps_all(target):
    layer = nn.Linear(2, 1)
    seen = []
    layer.weight.register_hook(lambda g: seen.append(g.shape))
    layer(ts.ones(1, 2)).sum().backward()
    before = layer.weight.grad
    assert layer.to(target) is layer and layer.weight.grad is before
    layer(ts.ones(1, 2)).sum().backward()
    assert len(seen) == 2
