"""What changes in a program when it runs on a GPU? One word: the device.

    python demos/cpu_and_gpu.py                    on the CPU
    python demos/cpu_and_gpu.py --device cuda      the same script, on a GPU

The model is moved with `.to(device)`, and what it reads is made there with `device=`; nothing else in this file knows
of devices. `ts.compare_devices` says whether both give the same gradients. It learns what a parity is (is the number of
ones odd?), and says how many steps of the network it does in a second. Small networks are not faster on a GPU: each op
waits for Python, not for arithmetic. So it measures two sizes.
"""

import time

import numpy as np
from lesson import INK, QUIET, figure, run, score, smooth, train

import tinygrad_seq as ts
from tinygrad_seq import nn


class Parity(nn.Module):
    """Bits (T, B, 1) -> scores of even and odd, after each bit (T, B, 2)."""

    def __init__(self, hidden):
        self.reader, self.head = nn.LSTM(1, hidden), nn.Linear(hidden, 2)

    def forward(self, bits):
        return self.head(self.reader(bits)[0]).named("scores")


def examples(rng, steps, batch, device):
    """Return bits (T, B, 1) and whether the number of ones so far is odd, (T, B), both on the device."""
    bits = rng.integers(0, 2, (steps, batch))
    odd = bits.cumsum(0) % 2
    return ts.tensor(bits[..., None].astype("float32"), device=device), ts.tensor(odd, device=device)


def speed(hidden, batch, device, args, steps=20):
    """Return how many steps of time, of all sequences, are learned from in a second."""
    model = Parity(hidden).to(device)
    bits, odd = examples(args.rng, steps, batch, device)
    best = np.inf
    for _ in range(args.repeats + 1):  # the first is slower: it warms up
        start = time.perf_counter()
        nn.cross_entropy(model(bits), odd).backward()
        model.head.weight.grad.numpy()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return steps * batch / best


def main(args):
    model = Parity(args.hidden).to(args.device)

    def loss_of():
        bits, odd = examples(args.rng, args.steps, 64, args.device)
        return nn.cross_entropy(model(bits), odd)

    losses = train(model, loss_of, args.updates, lr=0.02)
    shares = {}
    for steps in (args.steps, 4 * args.steps):
        bits, odd = examples(np.random.default_rng(args.seed + 1), steps, 500, args.device)
        with ts.no_grad():
            shares[steps] = 100 * np.mean((model(bits).numpy().argmax(-1) == odd.numpy())[-1])
    print(f"of sequences four times as long as those it learned from, {shares[4 * args.steps]:.1f} % right")
    score(f"Share of 500 new sequences of {args.steps} bits whose parity is right:",
          {f"LSTM on {model.head.weight.device}": shares[args.steps], "guessing": 50.0}, " %", of=500)  # fmt: skip
    speeds = {}
    for hidden, batch in ((args.hidden, 16), (args.large, 256)):
        for device in dict.fromkeys(("cpu", args.device)):
            name = f"{hidden} units, {batch} sequences, {device}"
            speeds[name] = speed(hidden, batch, device, args)
            print(f"{name}: {speeds[name]:,.0f} steps a second")

    if args.device != "cpu":
        print(f"each gradient on {args.device}: how far from the CPU's, relative to its largest number")
        ts.compare_devices(model.to("cpu"), examples(args.rng, args.steps, 64, "cpu")[0], device=args.device)
        model.to(args.device)

    made, (left, right) = figure(11, 4, 1, 2)
    left.plot(smooth(losses), color=INK, label=f"LSTM on {args.device}")
    left.axhline(np.log(2), color=QUIET, ls=":", label="guessing")
    left.set(title="Learning parity", xlabel="update", ylabel="nats at each bit", ylim=(0, 0.8))
    left.legend(frameon=False)
    right.barh(list(speeds), list(speeds.values()), color=[QUIET if "cpu" in name else INK for name in speeds])
    for row, steps in enumerate(speeds.values()):
        right.text(steps, row, f" {steps:,.0f}", va="center")
    right.set(title="Steps of time learned from in a second", xlim=(0, 1.25 * max(speeds.values())), xticks=[])
    made.savefig(args.out / "parity.png", dpi=150)
    bits, odd = examples(args.rng, 3, 1, args.device)
    ts.draw(nn.cross_entropy(model(bits), odd).named("loss")).save(args.out / "unrolled.svg")
    return [args.out / "parity.png", args.out / "unrolled.svg"]


if __name__ == "__main__":
    run(main, __doc__, quick={"updates": 2, "hidden": 4, "steps": 4, "large": 8, "repeats": 1},
        steps=(12, "bits in a sequence"), hidden=(24, "units"), large=(512, "units of the large network that is timed"),
        repeats=(3, "how often each is timed"), updates=(500, "updates of the weights"))  # fmt: skip
