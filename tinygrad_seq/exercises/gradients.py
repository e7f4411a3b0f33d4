"""Stops 6, 8 and 11: the length of gradients, a rule of one's own, a gradient of a gradient."""

from typing import Any

from tinygrad_seq import nn
from tinygrad_seq.checks.gradcheck import gradcheck, gradgradcheck
from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.random import manual_seed
from tinygrad_seq.exercises.answer import Answer, Wrong
from tinygrad_seq.exercises.stop import Arguments, Program, Stop


def some_gradients(trial: int, generator: Any) -> Arguments:
    """Return long, short and zero gradients, and a limit."""
    size = (3.0, 0.1, 0.0, 100.0)[trial % 4]
    arrays = [host.asarray(size * generator.normal(size=shape)) for shape in ((2,), (2, 2), ())]
    return {"gradients": arrays, "limit": 1.0 + trial % 2}


def point(trial: int, generator: Any) -> Arguments:
    """Return a number near 0, far away, or 0."""
    number = float(generator.choice([-1.0, 1.0]) * (0.5, 1e-3, 2.0, 20.0, 100.0, 0.0)[trial % 6])
    return {"x": tensor([number], dtype="float64", requires_grad=True)}


def finite_differences(answer: Answer, softsign: Program, _: Any, trial: int) -> None:
    """Hold the rule by finite differences, and the rule of the rule, which has a kink at 0."""
    (x,) = point(trial, host.random.default_rng(trial)).values()
    if not hasattr(softsign, "op"):
        raise Wrong("softsign is a plain function. Write @ts.primitive above `def softsign(xp, x):`.")
    for check in (gradcheck, gradgradcheck) if x.item() else (gradcheck,):
        what = f"ts.{check.__name__}(softsign, {x.tolist()}); write the rule with operators, abs() and ts alone: it"
        answer.call(what, check, softsign, x)


def model_and_input(trial: int, generator: Any) -> Arguments:
    """Return a small model, and what it reads."""
    manual_seed(trial)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to("float64")
    return {"model": model, "x": tensor(generator.normal(size=(1 + trial % 3, 3)), requires_grad=True)}


clip = Stop(
    "clip",
    """
def clip(gradients, limit):
    length = np.sqrt(sum((g * g).sum() for g in gradients))
    factor = limit / length if length > limit else 1.0
    return [g * factor for g in gradients]
""",
    (
        ("if length > limit", "if length", "It was scaled up: short gradients stay as they are."),
        ("g * factor", "g * min(1.0, limit / (np.sqrt((g * g).sum()) or 1.0))",
         "Each array was clipped by its own length: the length of all together counts."),
        ("g * factor", "g.clip(-limit, limit)", "Each number was clipped by itself: that changes the direction."),
        ("np.sqrt(", "(", "The length is the root of the sum of squares: the root is missing."),
        ("g * factor", "g", "Nothing was scaled."),
    ),
    some_gradients,
    "length, direction, short ones and zeros are right",
    (host.ndarray, host.number, float),
    1e-5,  # as PyTorch divides by the length + 1e-6
)  # fmt: skip
SLOPE = "The slope is 1 / (1 + |x|)^2"
softsign = Stop(
    "softsign",
    """
@ts.primitive
def softsign(xp, x): return x / (1.0 + abs(x))
softsign.vjps(lambda g, y, x: g / (1.0 + abs(x)) / (1.0 + abs(x)))
""",
    (
        ("return x / (1.0 + abs(x))", "return x / (1.0 + x)", "|x| stands in it: x / (1 + |x|)."),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g / (1.0 + abs(x))", f"{SLOPE}: the square is missing."),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g / (1.0 + x) / (1.0 + x)", f"{SLOPE}, with the absolute value."),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g * x / abs(x) / (1.0 + abs(x)) / (1.0 + abs(x))",
         f"{SLOPE}, without a sign: the function grows everywhere."),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "g * y", "This is the value of softsign, not its slope."),
        ("g / (1.0 + abs(x)) / (1.0 + abs(x))", "1.0 / (1.0 + abs(x)) / (1.0 + abs(x)) + 0.0 * g",
         "The rule has to multiply by g, the gradient of the output."),
    ),
    point,
    "values, slopes and finite differences agree, near 0 and far away,",
    extra_check=finite_differences,
)  # fmt: skip
penalty = Stop(
    "penalty",
    """
def penalty(model, x):
    slope = ts.grad(model(x).sum(), x, create_graph=True)
    return (slope.norm() - 1.0) ** 2
""",
    (
        ("slope.norm()", "(slope * slope).sum()",
         "The length of the gradient is the root of the sum of squares: the root is missing."),
        (" - 1.0) ** 2", ") ** 2", "1 has to be subtracted from the length before squaring."),
        (") ** 2", ")", "The square is missing."),
        (".sum()", ".mean()", "The gradient is of model(x).sum(), not of the mean."),
        ("(slope.norm() - 1.0) ** 2", "((slope - 1.0) ** 2).sum()",
         "1 is subtracted from every number here, not from the length."),
        ("(slope.norm() - 1.0) ** 2", "((slope.norm(axis=1) - 1.0) ** 2).mean()",
         "Each sample has a length of its own here: take one, of the whole gradient."),
    ),
    model_and_input,
    "value and gradient by the parameters are right",
)  # fmt: skip
