"""Arguments on two devices are one TypeError that names the argument and both devices."""

import re

import pytest

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import backend


def here(*values):
    return ts.tensor(values or [1.0, 2.0], device="cpu")


MIXED = {
    "assign": lambda x: nn.Parameter(x).assign(here()),
    "grad": lambda x: setattr(nn.Parameter(x), "grad", here()),
    "backward": lambda x: (nn.Parameter(x) * 2.0).backward(here()),
    "ts.grad": lambda x: (lambda p: ts.grad(p * 2.0, p, here()))(nn.Parameter(x)),
    "mse_loss": lambda x: nn.mse_loss(x, here()),
    "l1": lambda x: nn.binary_cross_entropy_with_logits(x, here(0.0, 1.0)),
    "cross_entropy": lambda x: nn.cross_entropy(ts.stack([x, x]), here(0, 1)),
    "weight": lambda x: nn.cross_entropy(ts.stack([x, x]), [0, 1], weight=here()),
    "getitem": lambda x: here()[ts.tensor([0], device="cuda")],
    "take": lambda x: ts.take(here(), ts.tensor([0], device="cuda")),
    "number": lambda x: x * ts.tensor(2.0, device="cpu"),
    "concatenate": lambda x: ts.concatenate([x, here()]),
    "hook": lambda x: hooked_by(x, lambda g: g.to("cpu")),
    "linear": lambda x: nn.Linear(2, 1).to("cpu")(x),
    "lstm": lambda x: nn.LSTM(2, 1).to("cpu")(x.reshape(1, 1, 2)),
    "state": lambda x: nn.RNN(2, 1).to("cuda")(x.reshape(1, 1, 2), ts.zeros(1, 1, 1, device="cpu")),
    "clip": lambda x: ts.optim.clip_grad_norm_([with_grad(x), with_grad(here())], 1.0),
}


def hooked_by(x, hook):
    p = nn.Parameter(x)
    p.register_hook(hook)
    (p * p).sum().backward()


def with_grad(x):
    p = nn.Parameter(x, device=x.device)
    p.grad = ts.ones_like(p)
    return p


@pytest.mark.parametrize("mixed", MIXED.values(), ids=MIXED)
def test_mixing_devices_is_one_error_that_names_both(gpu, mixed):
    with pytest.raises(TypeError, match=r"(?s)^\w.*: .*(cpu.*cuda:0|cuda:0.*cpu)"):
        mixed(ts.tensor([1.0, 2.0], device="cuda"))


def stepped(x):
    """A step with a gradient that stayed behind when its parameter was given an array elsewhere."""
    p = with_grad(here())
    p.array = x.array
    ts.optim.SGD([p], lr=0.1, momentum=0.9).step()


def cells(x):
    state = ts.zeros(1, 2, device="cpu")
    nn.Recurrent(Leaky().to("cuda"))(x.reshape(1, 1, 2), state)


class Away(ts.optim.Optimizer):
    """An optimiser of one's own that gives arrays of another GPU."""

    def update(self, x, g, state, o):
        return ts.tensor(x, device="cuda:1").array


class Leaky(nn.Module):
    hidden_size = 2

    def forward(self, x, h):
        return 0.5 * h + x


SAID = {  # what was mixed, and the beginning of the error
    "operator": (lambda x: here() * x, "multiply: y is on cuda:0, x on cpu"),
    "where": (lambda x: ts.where(x > 0, here(), 1.0), "where: x is on cpu, condition on cuda:0"),
    "any number": (lambda x: ts.stack([x, x, here()]), "stack: argument 2 is on cpu, argument 0 on cuda:0"),
    "raw array": (lambda x: here() * x.array, "multiply: an array on cuda:0 of shape (2,) beside a Tensor on cpu"),
    "raw number": (lambda x: here() * x.array[0], "multiply: an array on cuda:0 of shape () beside a Tensor on cpu"),
    "take": (lambda x: ts.take(x, here(0).to("int64")), "take: ids is on cpu, the table on cuda:0"),
    "Embedding": (lambda x: nn.Embedding(2, 1).to("cpu")(x.to("int8")),
                  "Embedding: ids is on cuda:0, the table on cpu"),
    "lengths": (lambda x: nn.RNN(2, 1).to("cpu")(ts.ones(1, 2, 2, device="cpu"), lengths=x.to("int64")),
                "RNN: lengths is on cuda:0, x on cpu"),
    "first state": (cells, "Recurrent: the first state is on cpu, x on cuda:0"),
    "step": (stepped, "SGD.step: the gradient of parameter 0 is on cpu, the parameter on cuda:0"),
    "pos_weight": (lambda x: nn.binary_cross_entropy_with_logits(x, [0, 1], pos_weight=here()),
                   "binary_cross_entropy_with_logits: pos_weight on cpu and the rest on cuda:0"),
    "generator": (lambda x: nn.dropout(here(), 0.5, generator=backend.cupy().random.default_rng(0)),
                  "dropout: the generator draws on a GPU, x is on cpu"),
}  # fmt: skip


@pytest.mark.parametrize(("mixed", "said"), SAID.values(), ids=SAID)
def test_the_error_names_the_argument(gpu, mixed, said):
    with pytest.raises(TypeError, match="^" + re.escape(said)):
        mixed(ts.tensor([1.0, 2.0], device="cuda"))


def test_two_gpus_are_not_mixed_either(gpu):
    if ts.cuda.device_count() < 2:
        pytest.skip("there is one GPU here")
    x, y = ts.ones(2, device="cuda:0"), ts.ones(2, device="cuda:1")
    for mixed in (lambda: x[y.to("int64")], lambda: ts.stack([x, y]), lambda: x @ y, lambda: x + y,
                  lambda: ts.where(x > 0, y, 1.0)):  # fmt: skip
        with pytest.raises(TypeError, match=r"is on cuda:1, (x|argument 0|condition) on cuda:0"):
            mixed()
    with pytest.raises(TypeError, match=r"add: an array on cuda:1 of shape .* beside a Tensor on cuda:0"):
        x + y.array
    with pytest.raises(TypeError, match=r"Away\.step: the new value of parameter 0 is on cuda:1, the parameter on"):
        Away([with_grad(x)]).step()
    with pytest.raises(TypeError, match="different devices"):  # CuPy itself might copy in silence
        backend.compute_there(lambda xp, a, b: a, None, (x.array, y.array), {})
