"""What is the derivative of a derivative? tanh and its first n derivatives, each drawn from what its backward recorded.

python demos/derivatives.py                  tanh_1.svg to tanh_3.svg in runs/derivatives
python demos/derivatives.py --order 5        how fast a graph grows that differentiates its own backward
"""

import argparse
import sys
from pathlib import Path

import tinygrad_seq as ts


def derivatives(order, at=0.5):
    """x, and [tanh x, tanh' x, tanh'' x, ...]: each the gradient of the one before, recorded."""
    x = ts.tensor(at, requires_grad=True).named("x")
    found = [x.tanh().named("tanh x")]
    for n in range(1, order + 1):
        found.append(ts.grad(found[-1], x, create_graph=True).named("tanh" + "′" * n + " x"))
    return x, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--order", type=int, default=3)
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    parser.add_argument("--out", type=Path, default=Path("runs/derivatives"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    x, found = derivatives(args.order)
    for n, value in enumerate(found[1:], 1):
        path = args.out / f"tanh_{n}.{args.format}"
        drawing = ts.draw(value)
        drawing.save(path)
        ops = drawing.json.count('"symbol"')
        print(f"{path}  {value.name} at {x.item():g} is {value.item():+.4f}, drawn with {ops} nodes")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:  # Graphviz is missing: the message says how to install it
        sys.exit(f"derivatives: {error}")
