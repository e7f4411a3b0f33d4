"""Stops 3, 4 and 5: what happens over time. The engine says what is right; a slip in the sum over steps has a name."""

from collections.abc import Callable, Iterator
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.engine.backprop import grad
from tinygrad_seq.engine.creation import tensor
from tinygrad_seq.engine.tensor import Tensor
from tinygrad_seq.exercises.answer import Answer, Wrong, array_of, list_of, shown
from tinygrad_seq.exercises.compare import Case, Stop

Function = Callable[..., Any]


def share_cases(answer: Answer, shares: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield the terms of the gradient of a weight that is used at every step."""
    steps = 2 + trial // 4
    h, w_ih, w_hh = (tensor(generator.normal(size=(2, 2)), requires_grad=i > 0) for i in range(3))
    xs = [tensor(generator.normal(size=(2, 2))) for _ in range(steps)]
    what = f"shares(xs, h, w_ih, w_hh) with {steps} steps"
    found = list_of(what, answer.call(what, shares, list(xs), h, w_ih, w_hh), steps)
    mine = [array_of(f"{what}, share {t},", share, (2, 2), Tensor, host.ndarray) for t, share in enumerate(found)]
    copies = [tensor(w_hh.numpy(), requires_grad=True) for _ in xs]
    for x, copy in zip(xs, copies):
        h = (x @ w_ih.T + h @ copy.T).tanh()
    wanted = host.stack([each.numpy() for each in grad(h.sum(), copies)])
    total = 0 * wanted + wanted.sum(0)
    adds_up = "they do" if host.allclose(sum(mine), total[0]) else "they do not"
    yield Case(f"{what} (wanted: terms that add up to the gradient; {adds_up})", host.stack(mine), wanted, {
        "The order is reversed: the first share is that of the first step.": wanted[::-1],
        "Only the last step has a share: is the state cut off between the steps?":
            wanted * (host.arange(steps) == steps - 1)[:, None, None],
        "Every share is the whole gradient: the steps use one weight. Give each a copy.": total,
        "These are running sums: a share is the term of one step.": wanted.cumsum(0),
        "These are sums from the end: a share is the term of one step.": wanted[::-1].cumsum(0)[::-1],
        "This is the gradient divided by the number of steps: the shares differ.": total / steps,
        "Each share is transposed: make copies of w_hh, not of w_hh.T.": wanted.swapaxes(1, 2),
    })  # fmt: skip


def bptt_cases(answer: Answer, bptt: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield both derivatives of the last state of single numbers, over 1 to 20 steps."""
    xs, (w_x, w_s) = generator.uniform(-1, 1, 1 + trial).tolist(), generator.uniform(0.5, 1.5, 2).tolist()
    what = f"bptt(xs={shown(xs)}, w_x={w_x:.6g}, w_s={w_s:.6g})"
    found = list_of(what, answer.call(what, bptt, list(xs), w_x, w_s), 2)
    if any(isinstance(each, Tensor) for each in found):
        raise Wrong(f"{what} returned Tensors. This exercise is done with floats, without autograd.")
    weights = [tensor(w, dtype="float64", requires_grad=True) for w in (w_x, w_s)]
    states = [tensor(0.0, dtype="float64")]
    for x in xs:
        states.append((weights[0] * x + weights[1] * states[-1]).tanh())
    wanted = [g.numpy() for g in grad(states[-1], weights)]
    s = host.array([state.item() for state in states])
    slopes = 1 - s[1:] ** 2  # of tanh, at every step
    later = slopes[::-1].cumprod()[::-1]  # the product from each step on
    powers = w_s ** host.arange(len(xs))[::-1]
    for i, used in enumerate((host.array(xs), s[:-1])):
        got = array_of(what, found[i], (), float, int, host.number)
        yield Case(f"{what}: d s_T / d {'w_s' if i else 'w_x'}", got, wanted[i], {
            "This is the last term of the sum alone: earlier uses of the weight count, too.": slopes[-1] * used[-1],
            "The factor w_s of every step between is missing.": (later * used).sum(),
            "The factors 1 - s_t^2, the slopes of tanh, are missing.": (powers * used).sum(),
            "Only the slope 1 - s_t^2 of the use itself counts here: those of all later steps do, too.":
                (powers * slopes * used).sum(),
            "Carry each term on to the end: multiply by w_s (1 - s_k^2) of every later step.": (slopes * used).sum(),
            "The two results are exchanged: first w_x, then w_s.": wanted[1 - i],
            "The use at step t multiplies s_(t-1), the state before it, not s_t.": (later * powers * s[1:]).sum(),
        })  # fmt: skip


def encode_decode_cases(answer: Answer, encode_decode: Function, trial: int, generator: Any) -> Iterator[Case]:
    """Yield the outputs of two small networks."""
    read, steps = 2 + trial // 7, 2 + trial % 3
    w = [tensor(generator.normal(size=(2, 2))) for _ in range(4)]
    y, h, *xs = (tensor(generator.normal(size=(1, 2))) for _ in range(2 + read))

    def encoder(x: Any, h: Any) -> Any:
        return (x @ w[0] + h @ w[1]).tanh()

    def decoder(x: Any, h: Any) -> Any:
        return (x @ w[2] + h @ w[3]).tanh()

    def run(xs: list[Any], y: Any, h: Any, handed: Any = None, feed: bool = True, decoder: Function = decoder) -> Any:
        for x in xs:
            h = encoder(x, h)
        h, made = h if handed is None else handed, []
        for _ in range(steps):
            h = decoder(y, h)
            made.append(h.numpy())
            y = h if feed else y
        return host.stack(made)

    what = f"encode_decode(encoder, decoder, {read} inputs, start, steps={steps})"
    found = list_of(what, answer.call(what, encode_decode, encoder, decoder, list(xs), (y, h), steps), steps)
    mine = [array_of(f"{what}, output {t},", each, (1, 2)) for t, each in enumerate(found)]
    yield Case(what, host.stack(mine), run(xs, y, h), {
        "Every step got start[0] as its input: an output is the next input.": run(xs, y, h, feed=False),
        "The decoder began with start[1]: it begins with the last state of the encoder.": run(xs, y, h, h),
        "The decoder began with zeros: it begins with the last state of the encoder.": run(xs, y, h, 0.0 * h),
        "The inputs were read from the last to the first.": run(xs[::-1], y, h),
        "The last input was not read.": run(xs[:-1], y, h),
        "The encoder was used for the outputs.": run(xs, y, h, decoder=encoder),
        "start is (first input of the decoder, first state of the encoder).": run(xs, h, y),
        "The first input of the decoder is start[0], not the last x.": run(xs, xs[-1], h),
    })  # fmt: skip


shares = Stop("shares", ("xs", "h", "w_ih", "w_hh"), share_cases, "each share equal to the engine's")
bptt = Stop("bptt", ("xs", "w_x", "w_s"), bptt_cases, "equal to the engine's gradients")
encode_decode = Stop(
    "encode_decode", ("encoder", "decoder", "xs", "start", "steps"), encode_decode_cases,
    "the outputs are those of the two loops",
)  # fmt: skip
