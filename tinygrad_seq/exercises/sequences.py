"""Stops 3, 4 and 5: what happens over time; a slip in the sum over steps has a name."""

from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.graph import new_serial
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong
from tinygrad_seq.exercises.stop import Arguments, Program, Stop


def sequence(trial: int, generator: Any) -> Arguments:
    """Return a sequence of 2 to 6 steps, a state and two weights."""
    xs = [tensor(generator.normal(size=(2, 2))) for _ in range(2 + trial // 4)]
    h, w_ih, w_hh = (tensor(generator.normal(size=(2, 2)), requires_grad=i > 0) for i in range(3))
    return {"xs": xs, "h": h, "w_ih": w_ih, "w_hh": w_hh}


def numbers(trial: int, generator: Any) -> Arguments:
    """Return 1 to 20 numbers, and two weights."""
    w_x, w_s = generator.uniform(0.5, 1.5, 2).tolist()
    return {"xs": generator.uniform(-1, 1, 1 + trial).tolist(), "w_x": w_x, "w_s": w_s}


def by_the_engine(xs: list[float], *numbers: float) -> Any:
    """Return the gradients of the last state, by both weights."""
    w_x, w_s = weights = [tensor(w, dtype="float64", requires_grad=True) for w in numbers]
    s = tensor(0.0, dtype="float64")
    for x in xs:
        s = (w_x * x + w_s * s).tanh()
    return list(grad(s, weights))


def without_autograd(answer: Answer, function: Program, _: Any, trial: int) -> None:
    """Refuse a `bptt` that records ops."""
    before = new_serial()
    function(*bptt.given(trial).values())
    if new_serial() > before + 1:
        raise Wrong("bptt: the numbers are right, but the library made them: write it in plain Python numbers.")


def networks(trial: int, generator: Any) -> Arguments:
    """Return an encoder, a decoder, what they read and where they begin."""
    w = [tensor(generator.normal(size=(2, 2))) for _ in range(4)]
    *start, x, y, z = (tensor(generator.normal(size=(1, 2))) for _ in range(5))

    def encoder(x: Tensor, h: Tensor) -> Tensor:
        return (x @ w[0] + h @ w[1]).tanh()

    def decoder(x: Tensor, h: Tensor) -> Tensor:
        return (x @ w[2] + h @ w[3]).tanh()

    xs = [x, y, z][: 2 + trial % 2]
    return {"encoder": encoder, "decoder": decoder, "xs": xs, "start": tuple(start), "steps": 2 + trial % 3}


shares = Stop(
    "shares",
    """
def shares(xs, h, w_ih, w_hh):
    copies = [ts.tensor(w_hh.numpy(), requires_grad=True) for _ in xs]
    for x, copy in zip(xs, copies):
        h = (x @ w_ih.T + h @ copy.T).tanh()
    found = list(ts.grad(h.sum(), copies, allow_unused=True))
    return found
""",
    (
        ("return found", "return found[::-1]", "The order is reversed: the first share is that of the first step."),
        ("return found", "return [sum(found)] * len(found)",
         "Every share is the whole gradient: the steps use one weight. Give each a copy."),
        ("return found", "return [found[-1] * float(x is xs[-1]) for x in xs]",
         "Only the last step has a share: is the state cut off between the steps?"),
        ("return found", "return [sum(found[:t + 1]) for t in range(len(found))]",
         "These are running sums: a share is the term of one step."),
        ("return found", "return [sum(found[t:]) for t in range(len(found))]",
         "These are sums from the end: a share is the term of one step."),
        ("return found", "return [sum(found) / len(found)] * len(found)",
         "This is the gradient divided by the number of steps: the shares differ."),
        ("return found", "return [g.T for g in found]", "Each share is transposed: copy w_hh, not w_hh.T."),
        ("copy.T", "copy", "w_hh has to be transposed: h @ copy.T."),
    ),
    sequence,
    "each share equal to the engine's, and so their sum to the gradient,",
    (Tensor, host.ndarray),
)  # fmt: skip
bptt = Stop(
    "bptt",
    """
def bptt(xs, w_x, w_s):
    s = d_x = d_s = 0.0
    for x in xs:
        new = np.tanh(w_x * x + w_s * s)
        slope = 1.0 - new * new
        d_x = slope * (x + w_s * d_x)
        d_s = slope * (s + w_s * d_s)
        s = new
    return d_x, d_s
""",
    (
        ("w_s * d_", "0.0 * d_", "This is the last term of the sum alone: earlier uses of the weight count, too."),
        (" + w_s * d_", " + d_", "The factor w_s of every step between is missing."),
        ("slope = 1.0 - new * new", "slope = 1.0 - s * s",
         "The slope of step t is 1 - s_t^2, of the state that the step makes, not of the one before it."),
        ("slope = 1.0 - new * new", "slope = 1.0", "The factors 1 - s_t^2, the slopes of tanh, are missing."),
        ("slope * (s +", "slope * (new +", "The use at step t multiplies s_(t-1), the state before it, not s_t."),
        ("slope * (x + w_s * d_x)", "slope * x + w_s * d_x", "Later steps multiply by 1 - s_k^2, too."),
        ("slope * (x + w_s * d_x)", "slope * x + d_x", "Each later step multiplies a term by w_s (1 - s_k^2)."),
        ("return d_x, d_s", "return d_s, d_x", "The two results are exchanged: first w_x, then w_s."),
    ),
    numbers,
    "equal to the engine's gradients",
    (float, int, host.number),
    reference=by_the_engine,
    extra_check=without_autograd,
)  # fmt: skip
encode_decode = Stop(
    "encode_decode",
    """
def encode_decode(encoder, decoder, xs, start, steps):
    y, h = start
    for x in xs:
        h = encoder(x, h)
    answers = []
    for _ in range(steps):
        h = decoder(y, h)
        y = h
        answers.append(h)
    return answers
""",
    (
        ("        y = h\n", "", "Every step got start[0] as its input: an output is the next input."),
        ("answers = []", "answers, h = [], start[1]",
         "The decoder began with start[1]: it begins with the last state of the encoder."),
        ("answers = []", "answers, h = [], 0.0 * h",
         "The decoder began with zeros: it begins with the last state of the encoder."),
        ("in xs:", "in xs[::-1]:", "The inputs were read from the last to the first."),
        ("in xs:", "in xs[:-1]:", "The last input was not read."),
        ("decoder(y, h)", "encoder(y, h)", "The encoder was used for the outputs."),
        ("encoder(x, h)", "encoder(h, x)", "encoder takes (x, h): the two are exchanged."),
        ("decoder(y, h)", "decoder(h, y)", "decoder takes (x, h): the two are exchanged."),
        ("y, h = start", "h, y = start", "start is (first input of the decoder, first state of the encoder)."),
        ("answers = []", "answers, y = [], x", "The first input of the decoder is start[0], not the last x."),
    ),
    networks,
    "the outputs are those of the two loops",
)  # fmt: skip
