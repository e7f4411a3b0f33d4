"""Stops 6, 8 and 11: what is asked of gradients: their length, a rule of one's own, a gradient of a gradient."""

from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq import nn
from tinygrad_seq.checks.gradcheck import gradcheck, gradgradcheck
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.random import manual_seed
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of, list_of, shown
from tinygrad_seq.exercises.compare import Case, Stop, far

Function = Callable[..., Any]


def in_a_row(arrays: Any) -> Any:
    """Return all numbers of some arrays as one array."""
    return host.concatenate([host.ravel(array) for array in arrays])


def clip_cases(answer: Answer, clip: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield long, short and zero gradients."""
    given = [generator.normal(size=shape) * (3.0, 0.1, 0.0, 100.0)[trial % 4] for shape in ((2,), (2, 2), ())]
    length, limit, copies = float(host.sqrt((in_a_row(given) ** 2).sum())), 1.0 + trial % 2, [g.copy() for g in given]
    what = f"clip(gradients, limit={limit}) with gradients = {shown(given)}, of length {length:.4g} together"
    found = list_of(what, answer.call(what, clip, copies, limit), len(given))
    mine = [array_of(what, new, g.shape, host.ndarray, host.number, float) for new, g in zip(found, given)]
    if far(in_a_row(copies), in_a_row(given)):
        raise Wrong(f"{what} changed the arrays that it was given: return new ones, g * factor, not g *= factor.")
    lengths, divisor = [float(host.sqrt((g * g).sum())) or 1.0 for g in given], length or 1.0
    causes = {
        "It was scaled up: short gradients stay as they are.": [g * limit / divisor for g in given],
        "Each array was clipped by its own length: the length of all together counts.":
            [g * min(1.0, limit / own) for g, own in zip(given, lengths)],
        "Each number was clipped by itself: that changes the direction.": [g.clip(-limit, limit) for g in given],
        "The length is the root of the sum of squares: the root is missing.":
            [g * min(1.0, limit / divisor**2) for g in given],
        "Nothing was scaled.": given,
    }  # fmt: skip
    wanted = in_a_row(given) * (limit / max(length, limit))
    yield Case(what, in_a_row(mine), wanted, {cause: in_a_row(gives) for cause, gives in causes.items()}, 1e-5)


def softsign_cases(answer: Answer, softsign: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield values and slopes, near 0 and far away; then finite differences hold the rule, and the rule of the rule."""
    if not hasattr(softsign, "op"):
        raise Wrong("softsign is a plain function. Write @ts.primitive above `def softsign(xp, x):`.")
    point = float(generator.choice([-1.0, 1.0]) * (0.5, 1e-3, 2.0, 50.0, 1e6)[trial % 5])
    x = tensor([point], dtype="float64", requires_grad=True)
    what, base = f"softsign([{point:g}])", 1.0 + abs(point)
    value = answer.call(what, softsign, x)
    values = {"|x| stands in it: x / (1 + |x|).": host.array([point / (1.0 + point)])}
    yield Case(what, array_of(what, value, (1,)), host.array([point / base]), values)
    if not value.requires_grad:
        raise Wrong(f"{what} has no gradient: declare its rule, softsign.vjps(lambda g, y, x: ...).")
    got = answer.call(f"The rule of {what}", lambda: grad(value * 3.0, x)).numpy() / 3.0
    causes = {
        "The slope is 1 / (1 + |x|)^2: the square is missing.": 1 / base,
        "The slope is 1 / (1 + |x|)^2, with the absolute value.": 1 / (1.0 + point) ** 2,
        "The slope has no sign, 1 / (1 + |x|)^2: the function grows everywhere.": host.sign(point) / base**2,
        "This is the value of softsign, not its slope.": point / base,
        "The rule has to multiply by g, the gradient of the output.": 1 / base**2 / 3.0,
    }
    scaled = {cause: host.array([gives * base**2]) for cause, gives in causes.items()}
    yield Case(f"The slope of {what}, times (1 + |x|)^2", got * base**2, host.ones(1), scaled)
    for law in (gradcheck, gradgradcheck) if abs(point) < 100 else ():
        answer.call(f"ts.{law.__name__}(softsign, [{point:g}]); write the rule with operators, abs() and ts alone: it",
                    law, softsign, x)  # fmt: skip


def penalty_cases(answer: Answer, penalty: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield the value, and its gradient by every parameter of a model."""
    manual_seed(trial)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to("float64")
    array = generator.normal(size=(1, 3))
    what, x = f"penalty(model, x = {shown(array)})", tensor(array, requires_grad=True)
    slope = grad(model(x).sum(), x, create_graph=True)
    length, numbers = slope.norm(), slope.numpy()
    n, wanted = length.item(), (length - 1.0) ** 2
    found = answer.call(what, penalty, model, tensor(array, requires_grad=True))
    number = array_of(what, found, (1,) if isinstance(found, Tensor) and found.shape == (1,) else ()).reshape(())
    yield Case(what, number, wanted.numpy(), {
        "The length of the gradient is the root of the sum of squares: the root is missing.": (n * n - 1) ** 2,
        "1 has to be subtracted from the length before squaring.": n * n,
        "The square is missing.": n - 1,
        "The gradient is of model(x).sum(), not of the mean.": (n / 2 - 1) ** 2,
        "1 is subtracted from every number here, not from the length.": ((numbers - 1) ** 2).sum(),
    })  # fmt: skip
    if not found.requires_grad:
        raise Wrong(f"{what} has the right value, but cannot be differentiated: ts.grad needs create_graph=True.")
    parameters = [p for name, p in model.named_parameters() if name != "2.bias"]  # which moves no gradient
    mine = answer.call(f"The gradient of {what}", lambda: grad(found.sum(), parameters, allow_unused=True))
    for parameter, got, right in zip(parameters, mine, grad(wanted, parameters)):
        title = f"The gradient of {what} by {parameter.name} {parameter.shape}"
        if got is None:
            raise Wrong(f"{title} does not exist: .numpy() or .detach() cuts it off.")
        yield Case(title, got.numpy(), right.numpy())


clip = Stop("clip", ("gradients", "limit"), clip_cases, "length, direction, short ones and zeros are right")
softsign = Stop("softsign", ("x",), softsign_cases, "values, slopes and finite differences agree, near 0 and far away,")
penalty = Stop("penalty", ("model", "x"), penalty_cases, "value and gradient by the parameters are right")
