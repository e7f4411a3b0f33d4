"""How many kernels a recurrent layer launches a step, by op, as the strict double of CuPy counts them.

    python tests/gpu/launches.py        the tables of docs/gpu.md

A step more is counted: what a layer of 10 steps launches beyond one of 6, over 4. What an op launches by itself is
`forward`, what its rule launches `backward`; the walk's own sums are there, too, where a state goes two ways.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import strict_cupy

import tinygrad_seq as ts
from tinygrad_seq import nn
from tinygrad_seq.engine import primitive
from tinygrad_seq.engine.primitive import registry

LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
SUMS = "sums of gradients"


@contextmanager
def by_op(found):
    """Add to `found` what is launched in here, by op and by forward or backward."""
    inside, compute = [], primitive.compute_there

    def noted(label, function):
        def call(*args, **options):
            before = strict_cupy.counts["kernels"]
            inside.append(label)
            try:
                return function(*args, **options)
            finally:
                inside.pop()
                if not inside:  # what a rule calls is the rule's
                    found[label] += strict_cupy.counts["kernels"] - before

        return call

    def compute_there(forward, *args):
        way = "backward" if forward.__name__ == "sum_to" else "forward"  # the walk's, that undoes broadcasting
        return noted((forward.__name__.removeprefix("reduce_"), way), compute)(forward, *args)

    kept = {op: (op.rules, op.joint, op.merge) for op in registry.values()}
    begin = strict_cupy.counts["kernels"]
    try:
        for op, (rules, joint, merge) in kept.items():
            label = op.name, "backward"
            op.rules = tuple(rule and noted(label, rule) for rule in rules)
            op.joint, op.merge = joint and noted(label, joint), merge and noted(label, merge)
        with mock.patch.object(primitive, "compute_there", compute_there):
            yield
    finally:
        for op, rules in kept.items():
            op.rules, op.joint, op.merge = rules
    found[SUMS, "backward"] += strict_cupy.counts["kernels"] - begin - sum(found.values())


def passes(name, steps, replayed):
    """A function that runs a layer forward and backward once more, everything that is made once being made."""
    layer, x = LAYERS[name](3, 4).to("cuda"), ts.ones(steps, 2, 3, device="cuda")

    def run():
        layer.zero_grad()
        layer(x)[0].sum().backward()

    run = ts.replay(run) if replayed else run
    for _ in range(2):
        run()
    return run


def launches(name, replayed=False):
    """Kernels a step of a layer, forward and backward: by op, or of a program, which has no ops, in all."""
    found = []
    for steps in (6, 10):
        run, counted = passes(name, steps, replayed), Counter()
        before = strict_cupy.counts["kernels"]
        if replayed:
            run()
            counted["all"] = strict_cupy.counts["kernels"] - before
        else:
            with by_op(counted):
                run()
        found.append(counted)
    few, many = found
    return {label: (count - few[label]) / 4 for label, count in many.items() if count != few[label]}


def by_op_table():
    """The lines of the table of an LSTM, in Markdown."""
    lstm = launches("LSTM")
    counts = Counter()
    for (op, _), count in lstm.items():
        counts[op] += count
    ops = sorted(counts, key=lambda op: (-counts[op], op))
    lines = ["| op of an LSTM | forward | backward |", "|---|---|---|"]
    for op in [*(op for op in ops if op != SUMS), SUMS]:
        lines.append(f"| {op} | {lstm.get((op, 'forward'), 0):g} | {lstm.get((op, 'backward'), 0):g} |")
    sums = [sum(count for (_, way), count in lstm.items() if way == which) for which in ("forward", "backward")]
    return [*lines, f"| in all | {sums[0]:g} | {sums[1]:g} |"]


def by_layer_table(replayed=True):
    """The lines of the table of all layers; without programs, which take seconds to trace, what begins them."""
    lines = ["| kernels a step, forward and backward | eager | replayed |", "|---|---|---|"]
    for name in LAYERS:
        line = f"| {name} | {sum(launches(name).values()):g} | "
        lines.append(line + (f"{launches(name, True)['all']:g} |" if replayed else ""))
    return lines


if __name__ == "__main__":
    strict_cupy.install()
    print("\n".join([*by_op_table(), "", *by_layer_table()]))
