"""Every public function, with every argument replaced by nonsense: it works, or says what is wrong in a sentence.

A sentence is a ValueError, TypeError, IndexError or RuntimeError that names the function as the user called it, or the
one below it that it is made of. Nothing is accepted that means something else: those calls are listed one by one.
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_seq as ts
from tinygrad_seq import data, flow, nn, optim

NONSENSE = {
    "None": None, "a string": "wrong", "no string": "", "bytes": b"x", "an object": object(), "a function": lambda: 0,
    "a module": ts, "a Module": nn.Linear(2, 2), "a dtype": np.dtype("int8"), "a type": float, "True": True,
    "-1": -1, "0": 0, "-7": -7, "large": 10**13, "huge": 10**30, "-huge": -(10**30), "a fraction": 3.7, "1j": 1j,
    "nan": float("nan"), "inf": float("inf"), "NumPy's int": np.int64(-5), "NumPy's nan": np.float64("nan"),
    "NumPy's bool": np.True_, "no list": [], "ragged": [[1], [2, 3]], "a pair": (1, -1), "a tuple in it": [(0, 1, 2)],
    "a dict": {}, "a set": {1}, "no array": np.array([]), "an array of strings": np.array(["a"]),
    "an empty Tensor": ts.zeros(0), "a Tensor of ints": ts.tensor([7, -7]),
}  # fmt: skip
ACCEPTED = (ValueError, TypeError, IndexError, RuntimeError)
ALSO = {  # what a message may name instead
    "view": "reshape", "permute": "transpose", "unbind": "unstack", "cat": "concatenate", "sub": "subtract",
    "mul": "multiply", "div": "divide", "pow": "power", "neg": "negative", "OneHot()": "one_hot",
    "Dropout()": "dropout", "Parameter": "tensor", "Buffer": "tensor", "derivation": "RNN",
    "compare_devices": "to",
}  # fmt: skip
CALLS = {}  # by name: a function, and arguments with which it works


def call(title, function, /, *args, **options):
    CALLS[title] = SimpleNamespace(function=function, args=args, options=options)


class Constant(nn.Module):
    def __init__(self):
        self.w = nn.Parameter([1.0])

    def forward(self):
        return self.w


def x(*shape, dtype="float32", grad=True):
    values = np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)
    return ts.tensor(values, dtype=dtype, requires_grad=grad)


# -------------------------------------------------------------------------------------------------------------- tensors

for name in "exp log sqrt sin cos tanh sigmoid relu abs negative neg".split():  # noqa: SIM905 (as in the docs)
    call(name, getattr(ts, name), x(2, 3))
for name in "add subtract multiply divide power maximum minimum matmul sub mul div pow".split():  # noqa: SIM905
    call(name, getattr(ts, name), x(2, 2), x(2, 2))
call("where", ts.where, x(2) > 0.5, x(2), x(2))
call("clip", ts.clip, x(2), low=0.0, high=1.0)
for name in ("sum", "mean", "max", "min", "logsumexp"):
    call(name, getattr(ts, name), x(2, 3), axis=0, keepdims=True)
call("var", ts.var, x(2, 3), 0, True, correction=1)
call("norm", ts.norm, x(2, 3), ord=2, axis=0, keepdims=True)
for name in ("argmax", "softmax", "log_softmax"):
    call(name, getattr(ts, name), x(2, 3), axis=0)
call("reshape", ts.reshape, x(2, 3), 3, 2)
call("view", ts.view, x(2, 3), (3, 2))
call("transpose", ts.transpose, x(2, 3), 1, 0)
call("permute", ts.permute, x(2, 3), (1, 0))
call("swapaxes", ts.swapaxes, x(2, 3), 0, 1)
call("expand_dims", ts.expand_dims, x(2, 3), axis=1)
call("squeeze", ts.squeeze, x(1, 3), axis=0)
call("broadcast_to", ts.broadcast_to, x(1, 3), 2, 3)
call("flip", ts.flip, x(2, 3), axis=0)
call("pad", ts.pad, x(2), widths=(1, 2), value=0.0)
for name in ("concatenate", "stack", "cat"):
    call(name, getattr(ts, name), [x(2, 3), x(2, 3)], axis=0)
call("split", ts.split, x(4, 3), 2, axis=0)
for name in ("unstack", "unbind"):
    call(name, getattr(ts, name), x(2, 3), axis=0)
call("take", ts.take, x(4, 3), [0, 1])
call("one_hot", ts.one_hot, [0, 1], count=3, dtype="float32")
call("einsum", ts.einsum, "ij,jk->ik", x(2, 3), x(3, 2))
made = {"dtype": "float32", "device": "cpu", "requires_grad": False}
call("tensor", ts.tensor, [1.0], **made)
for name in ("zeros", "ones"):
    call(name, getattr(ts, name), 2, 3, **made)
for name in ("zeros_like", "ones_like"):
    call(name, getattr(ts, name), x(2), **made)
for name in ("rand", "randn"):
    call(name, getattr(ts, name), 2, 3, **made, generator=np.random.default_rng(0))
call("full", ts.full, (2,), 1.0, **made)
call("arange", ts.arange, 1, 5, 2, **made)
call("eye", ts.eye, 2, **made)
call("manual_seed", ts.manual_seed, 3)
call("device", ts.device, "cpu")
call("set_rng_state", ts.set_rng_state, ts.get_rng_state())
leaf = x(1)
call("grad", ts.grad, leaf, leaf, grad_outputs=None, create_graph=False, retain_graph=True, allow_unused=True)
call("checkpoint", ts.checkpoint, lambda: leaf * 2.0)
call("replay", ts.replay, lambda: leaf * 2.0)
call("compare_devices", ts.compare_devices, Constant(), device="cpu")
compared = {"eps": 1e-6, "atol": 1e-6, "rtol": 1e-4, "directions": 2, "seed": 1}
for name in ("gradcheck", "gradgradcheck"):
    call(name, getattr(ts, name), lambda y: y * y, [x(2, dtype="float64")], **compared)
call("primitive", ts.primitive, lambda xp, y: y)
call("truncated", ts.truncated, nn.GRU(3, 4), x(4, 2, 3, grad=False), steps=2)
call("save", ts.save, {"a": 1}, "/dev/null/no/such/folder.npz")
call("load", ts.load, "/no/such/file.npz")
call("getitem", x(2, 3).__getitem__, 0)
call("to", x(2).to, "float64")
call("backward", x(1).backward, x(1, grad=False), retain_graph=True, create_graph=False)
call("register_hook", x(2).register_hook, lambda g: g)
drawn = {"view": "unrolled", "steps": (3, 1), "depth": 2, "params": "proxies", "show": None, "backward": False}
call("draw", ts.draw, x(2) * 2.0, **drawn, layout="dot")
call("diff", ts.diff, ts.draw(x(2) * 2.0), ts.draw(x(2) * 2.0))

# --------------------------------------------------------------------------------------------------------------- layers

ids = np.array([[0, 1], [2, 1]])
call("Linear", nn.Linear, 3, 4, bias=True)
call("Linear()", nn.Linear(3, 4), x(2, 3))
call("Embedding", nn.Embedding, 5, 4, padding_idx=0)
call("Embedding()", nn.Embedding(5, 4), ids)
call("OneHot", nn.OneHot, 5, dtype="float32")
call("OneHot()", nn.OneHot(5), ids)
call("LayerNorm", nn.LayerNorm, 4, eps=1e-5, elementwise_affine=True, bias=True)
call("LayerNorm()", nn.LayerNorm(4), x(2, 4))
call("Dropout", nn.Dropout, 0.5, shared_axis=0)
call("Dropout()", nn.Dropout(0.5), x(2, 4))
call("dropout", nn.dropout, x(2, 4), p=0.5, generator=np.random.default_rng(0), shared_axis=0)
for name in ("Softmax", "LogSoftmax"):
    call(name, getattr(nn, name), -1)
for name, more in {"RNN": {"nonlinearity": "relu"}, "LSTM": {"proj_size": 2}, "GRU": {"reset_after": False}}.items():
    layer, cell = getattr(nn, name), getattr(nn, f"{name}Cell")
    call(name, layer, 3, 4, num_layers=2, bias=True, batch_first=True, dropout=0.5, bidirectional=True, **more)
    call(f"{name}Cell", cell, 3, 4, bias=True, **more)
    states, state = (x(1, 2, 4), x(2, 4)) if name != "LSTM" else ((x(1, 2, 4),) * 2, (x(2, 4),) * 2)
    call(f"{name}()", layer(3, 4), x(5, 2, 3), states, lengths=[5, 3])
    call(f"{name}Cell()", cell(3, 4), x(2, 3), state)
call("Recurrent", nn.Recurrent, nn.GRUCell(3, 4))
call("Recurrent()", nn.Recurrent(nn.GRUCell(3, 4)), x(5, 2, 3))
call("Sequential", nn.Sequential, nn.Linear(3, 4), nn.Linear(4, 2))
call("ModuleList", nn.ModuleList, [nn.Linear(3, 4)])
call("Parameter", nn.Parameter, [1.0])
call("Buffer", nn.Buffer, x(2, grad=False))
call("from_keras", nn.from_keras, nn.GRU(3, 4), [np.zeros((3, 12)), np.zeros((4, 12)), np.zeros((2, 12))])
for name in ("cross_entropy", "nll_loss"):
    call(name, getattr(nn, name), x(2, 2, 3), ids, ignore_index=-1, reduction="mean", weight=[1.0, 2.0, 3.0])
call("cross_entropy smoothed", nn.cross_entropy, x(2, 2, 3), ids, label_smoothing=0.1)
for name in ("mse_loss", "binary_cross_entropy_with_logits"):
    call(name, getattr(nn, name), x(2, 3), x(2, 3), reduction="sum")
call("binary_cross_entropy_with_logits weighted", nn.binary_cross_entropy_with_logits, x(2), x(2), pos_weight=2.0)
call("Linear.to", nn.Linear(2, 2).to, "float64")
call("load_state_dict", nn.Linear(2, 2).load_state_dict, nn.Linear(2, 2).state_dict(), strict=True)
for name in ("uniform_", "normal_", "constant_", "zeros_", "xavier_uniform_", "xavier_normal_", "orthogonal_"):
    more = {"uniform_": {"a": -1.0, "b": 1.0}, "normal_": {"mean": 0.0, "std": 1.0}, "constant_": {"val": 1.0}}
    call(name, getattr(nn.init, name), nn.Parameter(np.ones((2, 2))), **more.get(name, {}))

# ------------------------------------------------------------------------------------------- training, data, insight

model, optimizer = nn.GRU(3, 4), optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
ADAM = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1, "amsgrad": True}
for name, more in {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.1, "nesterov": True},
    "Adam": ADAM, "AdamW": ADAM,
    "RMSprop": {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.1, "momentum": 0.1, "centered": True},
    "Adagrad": {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-8},
}.items():  # fmt: skip
    call(name, getattr(optim, name), [*model.parameters()], **more)
call("SGD of groups", optim.SGD, [{"params": [*model.parameters()], "lr": 0.1}])
call("StepLR", optim.StepLR, optimizer, 3, gamma=0.5)
call("ExponentialLR", optim.ExponentialLR, optimizer, 0.5)
call("CosineAnnealingLR", optim.CosineAnnealingLR, optimizer, 3, eta_min=0.1)
call("LambdaLR", optim.LambdaLR, optimizer, lambda epoch: 1.0)
call("clip_grad_norm_", optim.clip_grad_norm_, [*model.parameters()], 1.0, norm_type=2.0)
call("clip_grad_value_", optim.clip_grad_value_, [*model.parameters()], 1.0)
call("Vocabulary", data.Vocabulary, ["a", "b"], split=list, separator="", padding="-", unknown="?")
call("batches", data.batches, np.arange(6), size=2, shuffle=True, generator=np.random.default_rng(0), drop_last=True)
call("bptt_batches", data.bptt_batches, np.arange(20), batch=2, steps=3)
call("windows", data.windows, np.arange(20), length=4, horizon=1, stride=2)
call("pad_sequences", data.pad_sequences, [[1, 2], [3]], value=0, batch_first=True, maxlen=2, side="left")
out, _ = model(x(5, 2, 3))
call("itemize", flow.itemize, out.sum(), model.weight_hh_l0)
call("record", flow.record, out.sum())
call("influence", flow.influence, [out.sum()], flow.states(out))
call("states", flow.states, out, name="h")
call("Monitor", flow.Monitor, model, max_norm=1.0, every=2)
call("derivation", flow.derivation, nn.RNN(2, 3), x(3, 2, dtype="float32", grad=False))

LEFT_OUT = {
    "get_rng_state", "no_grad", "detect_anomaly", "scope", "python_manual", "cities", "sunspots",  # without arguments
    "Tensor", "Drawing", "Difference", "Module", "Cell", "Optimizer", "Batches",  # made by others, or bases
    "Derivation", "Frame", "Influence", "Items", "Record",  # what functions return
    "Tanh", "Sigmoid", "ReLU", "CrossEntropyLoss", "NLLLoss", "MSELoss", "BCEWithLogitsLoss",  # as functions here
}  # fmt: skip


def test_no_public_function_is_left_out():
    rooms = (ts, nn, optim, data, flow)
    public = {name for room in rooms for name, value in vars(room).items() if callable(value) and name[0] != "_"}
    ours = {name for name in public if not isinstance(getattr(np, name, None), type)}  # no dtypes
    assert ours - LEFT_OUT - {name.split()[0] for name in CALLS} == set()


PLACES = [(name, place) for name, given in CALLS.items() for place in [*range(len(given.args)), *given.options]]


@pytest.mark.parametrize("name, place", PLACES)
def test_nonsense(name, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some nonsense is a path, and is written
    given, problems = CALLS[name], []
    for what, value in NONSENSE.items():
        if callable(value) and isinstance(place, int) and callable(given.args[place]):
            continue  # a function of the user's, whose errors are its own
        args, options = list(given.args), dict(given.options)
        (args if isinstance(place, int) else options)[place] = value
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                given.function(*args, **options)
        except BaseException as error:
            own = name.split()[0].removesuffix("()").rpartition(".")[2]
            if isinstance(error, OSError) and name in ("save", "load"):
                continue  # Python's own, which name the file
            if name in ("gradcheck", "gradgradcheck") and isinstance(error, AssertionError):
                continue  # a check that failed
            if type(error) not in ACCEPTED or not (own in str(error) or ALSO.get(name, own) in str(error)):
                problems.append(f"{what}: {type(error).__name__}: {error}"[:200])
    assert not problems, "\n" + "\n".join(problems)


REFUSED = {  # it would mean something else
    "a word for a switch": lambda: nn.Linear(2, 2, bias="False"),
    "a number for a switch": lambda: nn.LSTM(2, 2, bidirectional=-1),
    "an int that does not fit": lambda: ts.tensor([300], "int8"),
    "NaN as an int": lambda: ts.full((2,), float("nan"), "int64"),
    "inf as an int": lambda: ts.tensor([float("inf")], "int64"),
    "no axis": lambda: ts.sum(x(2, 3), ""),
    "keepdims as a number": lambda: ts.sum(x(2, 3), 0, 1),
    "a bool as an axis": lambda: ts.sum(x(2, 3), True),
    "a complex gradient": lambda: x(1).backward(1j),
    "complex gradients": lambda: (x(2) * 2.0).backward(np.array([1j, 1j])),
    "more memory than there is": lambda: ts.zeros(10**13),
    "layers without end": lambda: nn.RNN(2, 2, num_layers=10**30),
    "no model to watch": lambda: flow.Monitor(None),
    "tokens without an order": lambda: data.Vocabulary({"a", "b"}),
    "nothing as a padding": lambda: data.pad_sequences([[1.0]], value=None),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_mean_something_else_is_refused(what):
    with pytest.raises((TypeError, ValueError), match=r"^\w+: "):
        REFUSED[what]()
