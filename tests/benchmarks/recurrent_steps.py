"""Training steps of RNN, LSTM and GRU on the same arrays: ours, by hand and of the peers, their gradients compared."""

import importlib.util
import inspect
import statistics
from collections.abc import Callable
from functools import partial

import by_hand
import numpy as np
import peers
from peers import jax, torch
from timing import Step, report, rounds

import tinygrad_seq as ts

SIZES = {
    "tiny": (32, 1, 16, 16), "small": (64, 16, 32, 64), "medium": (100, 32, 64, 128), "large": (64, 64, 256, 512),
    "long": (4000, 1, 32, 32),
}  # fmt: skip
CELLS = {"lstm": ts.nn.LSTM, "gru": ts.nn.GRU, "rnn": ts.nn.RNN}
WAYS: dict[str, Callable[[Step], Step]] = {"eager": lambda step: step, "replayed": ts.replay}
if "compile" in inspect.signature(ts.replay).parameters and importlib.util.find_spec("numba"):
    WAYS["compiled"] = partial(ts.replay, compile=True)


def problem(
    cell: str, size: tuple[int, ...], device: str = "cpu"
) -> tuple[dict[str, np.ndarray], ts.nn.Module, ts.Tensor]:
    """The same step for everybody: the arrays of the hand-written one, and the layer and input of the library."""
    steps, batch, inputs, hidden = size
    ts.manual_seed(0)
    layer = CELLS[cell](inputs, hidden).to(device)
    values = 0.1 * np.random.default_rng(0).standard_normal((steps, batch, inputs)).astype("float32")
    x = ts.tensor(values, requires_grad=True, device=device)
    weight_ih, weight_hh = layer.weight_ih_l0.numpy(), layer.weight_hh_l0.numpy()
    given = {"x": x.numpy().copy(), "Wx": weight_ih.T.copy(), "Wh": weight_hh.T.copy()}
    given["b"], bias_hh = layer.bias_ih_l0.numpy().copy(), layer.bias_hh_l0.numpy().copy()
    if cell == "gru":
        given["bh"] = bias_hh
    else:
        given["b"] += bias_hh
    return given, layer, x


def library_step(layer: ts.nn.Module, x: ts.Tensor, lengths: list[int] | None = None) -> Step:
    def step() -> float:
        x.grad = None
        layer.zero_grad()
        out, _ = layer(x, lengths=lengths)
        loss = (out * out).mean()
        loss.backward()
        return loss.item()

    return step


def check(competitors: dict[str, Step], layer: ts.nn.Module, x: ts.Tensor) -> None:
    """Let each make one step, and compare its gradients with those of the first; ours are left on the leaves."""
    wanted = None
    for name, step in competitors.items():
        result = step()
        ours = not isinstance(result, tuple)
        found = {"x": x.grad.numpy(), "Wh": layer.weight_hh_l0.grad.numpy().T} if ours else result[1]
        wanted = wanted or {key: np.array(found[key]) for key in ("x", "Wh")}
        for key, right in wanted.items():
            tolerance = 1e-4 * np.abs(right).max()
            np.testing.assert_allclose(np.asarray(found[key]), right, rtol=0, atol=tolerance, err_msg=f"{name} {key}")


def contest(cell: str, size: tuple[int, ...], device: str = "cpu") -> dict[str, Step]:
    """Return all that take part in the race, with gradients that were found equal."""
    given, layer, x = problem(cell, size, device)
    step = library_step(layer, x)
    ours = {name: way(step) for name, way in WAYS.items() if name != "compiled" or device == "cpu"}
    found = {"NumPy by hand": by_hand.opt(cell, given), "NumPy naive": by_hand.naive(cell, given)} | ours
    if torch is not None:
        found["PyTorch nn"] = peers.torch_layer(cell, given)
    if jax is not None:
        found["JAX scan"] = peers.jax_scan(cell, given)
    check(found, layer, x)
    return found


# --------------------------------------------------------------------------------------------------------------- races


def replay(sizes: list[str]) -> None:
    """Eager, replayed and compiled, over NumPy by hand at its best; at the end as a table."""
    rows: dict[tuple[str, str], list[str]] = {}
    for size in sizes:
        for cell in CELLS:
            times = rounds(contest(cell, SIZES[size]))
            report(f"{size} {cell}", times, "NumPy by hand")
            for name, found in times.items():
                ratios = [mine / its for mine, its in zip(found, times["NumPy by hand"], strict=True)]
                rows.setdefault((size, name), []).append(f"{statistics.median(ratios):.2f}")
    print("\n| time over NumPy by hand | | LSTM | GRU | RNN |\n|---|---|---|---|---|")
    for (size, name), cells in rows.items():
        if name != "NumPy by hand":
            print(f"| {size} | {name} | {' | '.join(cells)} |")


def steps(sizes: list[str]) -> None:
    """RNN, LSTM and GRU, forward and backward."""
    for size in sizes:
        for cell in CELLS:
            given, layer, x = problem(cell, SIZES[size])
            competitors = {"naive": by_hand.naive(cell, given), "optimised": by_hand.opt(cell, given),
                           "tinygrad_seq": library_step(layer, x)}  # fmt: skip
            check(competitors, layer, x)
            if torch is not None:
                competitors["torch ops"] = peers.torch_ops(cell, given)
            report(f"{size} {cell}", rounds(competitors), "naive")


def options(sizes: list[str]) -> None:
    """The same with lengths (a third of the batch padded to each of T, 2T/3 and T/3), two layers, two directions."""
    for size in sizes:
        steps, batch, inputs, hidden = SIZES[size]
        for cell, make in CELLS.items():
            given, layer, x = problem(cell, SIZES[size])
            lengths = [max(1, steps * (3 - b % 3) // 3) for b in range(batch)]
            if batch == 1:
                lengths = [steps * 2 // 3]
            mask = (np.arange(steps)[:, None] < lengths)[:, :, None]
            competitors = {"naive": by_hand.naive(cell, given, mask), "tinygrad_seq": library_step(layer, x, lengths)}
            check(competitors, layer, x)
            report(f"{size} {cell} lengths", rounds(competitors), "naive")
            for what, extra in (("2 layers", {"num_layers": 2}), ("2 directions", {"bidirectional": True})):
                second = (steps, batch, hidden if "num_layers" in extra else inputs, hidden)
                hands = by_hand.naive(cell, given), by_hand.naive(cell, problem(cell, second)[0])
                ours = library_step(make(inputs, hidden, **extra), x)
                times = rounds({"naive": lambda hands=hands: [hand() for hand in hands], "tinygrad_seq": ours})
                report(f"{size} {cell} {what}", times, "naive")
