"""Stops 1, 2 and 7: a function of weights that a layer computes, too; its value and gradients are to be the layer's."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tinygrad_seq import nn
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.functions.selection import take
from tinygrad_seq.engine.functions.shapes import flip
from tinygrad_seq.engine.graph import ancestors
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of, shown
from tinygrad_seq.exercises.compare import Case, Stop

Function = Callable[..., Any]
STEP = ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")


def leaves(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return Tensors of the arrays, which require a gradient if they are floating."""
    return {name: tensor(array, requires_grad=array.dtype.kind == "f") for name, array in arrays.items()}


def compared(
    answer: Answer, function: Function, arrays: Mapping[str, Any], wanted: Function, causes: Mapping[str, Function]
) -> Iterator[Case]:
    """Yield the value of the reader's function beside ours, and the gradient by every argument."""
    what = f"{function.__name__}({', '.join(f'{key} = {shown(array)}' for key, array in arrays.items())})"
    mine, theirs = leaves(arrays), leaves(arrays)
    found, target = answer.call(what, function, *mine.values()), wanted(*theirs.values())
    fitting = {cause: value_of(gives, arrays) for cause, gives in causes.items()}
    yield Case(what, array_of(what, found, target.shape), target.numpy(), fitting)
    keys, u = [key for key, x in mine.items() if x.requires_grad], host.random.default_rng(0).normal(size=target.shape)
    right = grad((target * u).sum(), [theirs[key] for key in keys])
    got = [None for _ in keys]
    if found.requires_grad:
        got = grad((found * u).sum(), [mine[key] for key in keys], retain_graph=True, allow_unused=True)
    for key, g, r in zip(keys, got, right):
        if g is None:
            raise Wrong(f"{what} has the right value, but {key} gets no gradient: .numpy() or .detach() cuts it off.")
        yield Case(f"The gradient of {what} by {key}", g.numpy(), r.numpy())
    if function.__name__ == "embed" and any(n.op and n.op.name in ("take", "getitem") for n in ancestors([found.node])):
        raise Wrong("embed: the numbers are right, but rows were taken by index. Multiply with ts.one_hot(ids, ...).")


def value_of(function: Function, arrays: Mapping[str, Any]) -> Any:
    """Return what a mistake would give, or NaN where it cannot be made with arrays of these shapes."""
    try:
        return function(*map(tensor, arrays.values())).numpy()
    except ValueError:
        return host.nan


def embed_cases(answer: Answer, embed: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield rows of a small table, some of them twice."""
    tokens, shape = 2 + trial % 4, ((3,), (2, 4), (), (0,))[trial % 4]
    arrays = {"weight": generator.normal(size=(tokens, 2)), "ids": generator.integers(0, tokens, shape)}
    causes: dict[str, Function] = {
        "The ids count from the end: id 0 is the first row.": lambda weight, ids: take(flip(weight, 0), ids),
        "The first row was taken for id 1: ids begin at 0.": lambda weight, ids: weight[ids - 1],
    }
    return compared(answer, embed, arrays, take, causes)


def step_arrays(trial: int, generator: Any, rows: int) -> dict[str, Any]:
    """Return the arguments of a step; `rows` blocks of the hidden size. In the first cases all sizes are 2."""
    batch, inputs, hidden = (2, 2, 2) if trial < 3 else generator.integers(1, 5, 3)
    shapes = ((batch, inputs), (batch, hidden), (rows * hidden, inputs), (rows * hidden, hidden))
    return dict(zip(STEP, (generator.normal(size=shape) for shape in (*shapes, rows * hidden, rows * hidden))))


def cell_step(kind: Callable[..., nn.Cell], **options: Any) -> Function:
    """Return the step of a cell of the library, as a function of its weights."""

    def step(x: Any, h: Any, *weights: Any) -> Any:
        cell = kind(x.shape[1], h.shape[1], **options)
        vars(cell).update(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights))
        return cell(x, h)

    return step


ELMAN: dict[str, Function] = {
    "This is the argument of tanh: the tanh is missing.": lambda x, h, w, v, b, c: x @ w.T + h @ v.T + b + c,
    "w_hh has to be transposed: h @ w_hh.T.": lambda x, h, w, v, b, c: (x @ w.T + h @ v + b + c).tanh(),
    "w_ih has to be transposed: x @ w_ih.T.": lambda x, h, w, v, b, c: (x @ w + h @ v.T + b + c).tanh(),
    "Both weights have to be transposed.": lambda x, h, w, v, b, c: (x @ w + h @ v + b + c).tanh(),
    "b_hh is missing.": lambda x, h, w, v, b, c: (x @ w.T + h @ v.T + b).tanh(),
    "b_ih is missing.": lambda x, h, w, v, b, c: (x @ w.T + h @ v.T + c).tanh(),
    "Both biases are missing.": lambda x, h, w, v, b, c: (x @ w.T + h @ v.T).tanh(),
    "The old state is missing.": lambda x, h, w, v, b, c: (x @ w.T + b + c).tanh(),
    "This is a sigmoid, not a tanh.": lambda x, h, w, v, b, c: (x @ w.T + h @ v.T + b + c).sigmoid(),
}


def gru_of(order: str, mixed: Callable[[Any, Any, Any], Any], bend: str = "tanh") -> Function:
    """Return a GRU step whose blocks stand in this order ("rzn") and whose state is mixed(update, new, h)."""

    def step(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        from_x = dict(zip(order, (x @ w_ih.T + b_ih).split(h.shape[1], 1)))
        from_h = dict(zip(order, (h @ w_hh.T + b_hh).split(h.shape[1], 1)))
        reset, update = ((from_x[gate] + from_h[gate]).sigmoid() for gate in "rz")
        return mixed(update, getattr(from_x["n"] + reset * from_h["n"], bend)(), h)

    return step


def kept(update: Any, new: Any, h: Any) -> Any:
    """Return the next state of a GRU."""
    return (1.0 - update) * new + update * h


GRU: dict[str, Function] = {
    "The blocks are reset, update, new in this order; yours begin with update.": gru_of("zrn", kept),
    "The blocks are reset, update, new in this order; yours end with update.": gru_of("rnz", kept),
    "The blocks are reset, update, new in this order; yours begin with new.": gru_of("nrz", kept),
    "update says how much of h stays: (1 - update) * new + update * h.":
        gru_of("rzn", lambda update, new, h: update * new + (1.0 - update) * h),
    "The reset gate acts after the product: reset * (h @ w_hn.T + b_hn).": cell_step(nn.GRUCell, reset_after=False),
    "The new value has a tanh, not a sigmoid.": gru_of("rzn", kept, "sigmoid"),
    "This is `new` alone: mix it with h.": gru_of("rzn", lambda update, new, h: new),
}  # fmt: skip

embed = Stop("embed", ("weight", "ids"), embed_cases, "value and gradient equal to nn.Embedding's")
elman = Stop(
    "elman", STEP,
    lambda answer, f, trial, rng: compared(answer, f, step_arrays(trial, rng, 1), cell_step(nn.RNNCell), ELMAN),
    "value and gradients equal to nn.RNNCell's",
)  # fmt: skip
gru = Stop(
    "gru_step", STEP,
    lambda answer, f, trial, rng: compared(answer, f, step_arrays(trial, rng, 3), cell_step(nn.GRUCell), GRU),
    "value and gradients equal to nn.GRUCell's",
)  # fmt: skip
