"""How fast the library is: beside NumPy written by hand, and PyTorch and JAX where they are installed, in one run.

    python tests/benchmarks/measure.py                     all of it, half an hour
    python tests/benchmarks/measure.py steps --size tiny   one part, one size
    python tests/benchmarks/measure.py replay              eager, replayed, compiled, by hand and the peers, as a table

One thread. Competitors take turns in rounds, so that a machine that slows down slows all of them; what is printed is
the median of the ratios within a round, with its quartiles, and the ratio of the fastest times.
"""

import argparse
import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # before NumPy is imported
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.pop("OPENBLAS_CORETYPE", None)  # these would slow down NumPy's products, but not PyTorch's
os.environ.pop("OPENBLAS_L2_SIZE", None)

import numpy as np
from further_figures import chain, checkpoints, embedding, insight, length, memory, tracing
from peers import jax, torch
from recurrent_steps import SIZES, options, replay, steps

PARTS = {
    part.__name__: part
    for part in (steps, options, replay, chain, memory, tracing, checkpoints, embedding, length, insight)
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="which figures (default: all)")
    parser.add_argument("--size", nargs="*", choices=list(SIZES), default=list(SIZES), help="of the recurrent steps")
    arguments = parser.parse_args()
    versions = [f"{name} {'not installed' if found is None else found.__version__}"
                for name, found in (("NumPy", np), ("PyTorch", torch), ("JAX", jax))]  # fmt: skip
    print(", ".join([*versions, "one thread"]))
    for name in arguments.part or PARTS:
        PARTS[name](arguments.size)
