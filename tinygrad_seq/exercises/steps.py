"""Stops 1, 2 and 7: the program of a layer, written out."""

from collections.abc import Callable
from typing import Any

from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.functions.selection import take
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong
from tinygrad_seq.exercises.stop import Arguments, Program, Stop
from tinygrad_seq.nn.cell import Cell
from tinygrad_seq.nn.gru import GRUCell
from tinygrad_seq.nn.rnn import RNNCell

STEP = ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")


def table_and_ids(trial: int, generator: Any) -> Arguments:
    """Return a small table and ids, some of them twice."""
    tokens, shape = 3 + trial % 3, ((3,), (2, 4), (), (0,))[trial % 4]
    weight = tensor(generator.normal(size=(tokens, 2)), requires_grad=True)
    return {"weight": weight, "ids": tensor(generator.integers(0, tokens, shape))}


def not_by_index(answer: Answer, function: Program, _: Any, trial: int) -> None:
    """Refuse an `embed` that takes rows by their index."""
    weight, ids = embed.given(trial).values()
    made = function(weight, ids)
    users = [node for node in ancestors([made.node] if made.requires_grad else []) if weight.node in node.parents]
    if any(node.op is not None and node.op.name in ("take", "getitem") for node in users):
        raise Wrong("embed: the numbers are right, but rows were taken by index. Multiply with ts.one_hot(ids, ...).")


def step(trial: int, generator: Any, blocks: int = 1) -> Arguments:
    """Return the arguments of a step, with weights of so many blocks. In the first trials all sizes are 2."""
    batch, inputs, hidden = (2, 2, 2) if trial < 3 else generator.integers(1, 5, 3)
    rows = blocks * hidden
    shapes = ((batch, inputs), (batch, hidden), (rows, inputs), (rows, hidden), rows, rows)
    return {name: tensor(generator.normal(size=shape), requires_grad=True) for name, shape in zip(STEP, shapes)}


def step_of(kind: Callable[[int, int], Cell]) -> Program:
    """Return the step of a cell of the library, as a function of its weights."""

    def one_step(x: Tensor, h: Tensor, *weights: Tensor) -> Any:
        cell = kind(x.shape[1], h.shape[1])
        vars(cell).update(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights))
        return cell(x, h)

    return one_step


embed = Stop(
    "embed",
    "def embed(weight, ids): return ts.one_hot(ids, len(weight), weight.dtype) @ weight",
    (
        ("one_hot(ids", "one_hot(len(weight) - 1 - ids", "The ids count from the end: id 0 is the first row."),
        ("one_hot(ids", "one_hot((ids.numpy() - 1) % len(weight)", "Ids begin at 0: id 0 is the first row."),
    ),
    table_and_ids,
    "value and gradient equal to nn.Embedding's",
    reference=take,
    extra_check=not_by_index,
)
elman = Stop(
    "elman",
    "def elman(x, h, w_ih, w_hh, b_ih, b_hh): return (x @ w_ih.T + b_ih + h @ w_hh.T + b_hh).tanh()",
    (
        (".tanh()", "", "This is the argument of tanh: the tanh is missing."),
        ("w_hh.T", "w_hh", "w_hh has to be transposed: h @ w_hh.T."),
        ("w_ih.T", "w_ih", "w_ih has to be transposed: x @ w_ih.T."),
        (".T", "", "Both weights have to be transposed."),
        ("+ b_hh", "", "b_hh is missing."),
        ("+ b_ih", "", "b_ih is missing."),
        ("+ b_ih + h @ w_hh.T + b_hh", "+ h @ w_hh.T", "Both biases are missing."),
        ("+ h @ w_hh.T", "", "The old state is missing."),
        (".tanh()", ".sigmoid()", "This is a sigmoid, not a tanh."),
        ("x @ w_ih.T + b_ih + h @", "h @ w_ih.T + b_ih + x @", "x and h are exchanged: w_ih is for x, w_hh for h."),
        ("x @ w_ih.T + b_ih + h @ w_hh.T", "w_ih @ x + b_ih + w_hh @ h", "A sample is a row here: x @ w_ih.T."),
        ("b_ih + h", "b_ih).tanh() + (h", "There is one tanh, of the whole sum."),
    ),
    step,
    "value and gradients equal to nn.RNNCell's",
    reference=step_of(RNNCell),
)
ORDER = "The blocks stand in the order reset, update, new; yours begin with"
gru_step = Stop(
    "gru_step",
    """
def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    from_x, from_h = (x @ w_ih.T + b_ih).split(h.shape[1], 1), (h @ w_hh.T + b_hh).split(h.shape[1], 1)
    r, z, n = 0, 1, 2
    reset, update = (from_x[r] + from_h[r]).sigmoid(), (from_x[z] + from_h[z]).sigmoid()
    new = (from_x[n] + reset * from_h[n]).tanh()
    return (1.0 - update) * new + update * h
""",
    (
        ("0, 1, 2", "1, 0, 2", f"{ORDER} update, reset."),
        ("0, 1, 2", "0, 2, 1", f"{ORDER} reset, new."),
        ("0, 1, 2", "1, 2, 0", f"{ORDER} new, reset."),
        ("0, 1, 2", "2, 1, 0", f"{ORDER} new, update."),
        ("(1.0 - update) * new + update * h", "update * new + (1.0 - update) * h",
         "update says how much of h stays: (1 - update) * new + update * h."),
        ("reset * from_h[n]", "(reset * h) @ w_hh[-h.shape[1]:].T + b_hh[-h.shape[1]:]",
         "The reset gate acts after the product: reset * (h @ w_hn.T + b_hn)."),
        ("reset * from_h[n]", "reset * (from_h[n] - b_hh[-h.shape[1]:]) + b_hh[-h.shape[1]:]",
         "The reset gate multiplies the bias, too: reset * (h @ w_hn.T + b_hn)."),
        ("+ reset * from_h[n]).tanh()", "+ reset * from_h[n]).sigmoid()", "The new value has a tanh, not a sigmoid."),
        ("return (1.0 - update) * new + update * h", "return new", "This is `new` alone: mix it with h."),
    ),
    lambda trial, generator: step(trial, generator, 3),
    "value and gradients equal to nn.GRUCell's",
    reference=step_of(GRUCell),
)  # fmt: skip
