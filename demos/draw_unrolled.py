"""What does a recurrent network look like when it is unrolled? RNN, LSTM and GRU, drawn from what they recorded.

python demos/draw_unrolled.py                     three pictures in runs/unrolled
python demos/draw_unrolled.py --steps 1000        the middle is folded, after it was checked to repeat
"""

import argparse
import sys
from pathlib import Path

import tinygrad_seq as ts
from tinygrad_seq import nn

NETWORKS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    parser.add_argument("--out", type=Path, default=Path("runs/unrolled"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, network in NETWORKS.items():
        out, _ = network(input_size=4, hidden_size=8, num_layers=args.layers)(ts.randn(args.steps, 2, 4))
        path = args.out / f"{name}.{args.format}"
        ts.draw(out).save(path)
        print(path)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:  # Graphviz is missing: the message says how to install it
        sys.exit(f"draw_unrolled: {error}")
