"""A pass over equations: the sigmoids and tanhs of all gates of a cell are one tanh.

    sigmoid(z[:, :4]), tanh(z[:, 4:8])          y = tanh(z * a) * a + (1 - a), and y[:, :4], y[:, 4:8]

For sigmoid(z) is (1 + tanh(z / 2)) / 2. What z is the sum of is multiplied with a instead: weights are, once. That
rounds what is smaller than one to the last bit of one, so it is done only where gates are multiplied with others, and
nobody divides by such a product or takes its logarithm.
"""

from collections import defaultdict
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.aliases import NEW
from tinygrad_seq.replay.gates import Span, columns_of, index
from tinygrad_seq.replay.passes import Pass
from tinygrad_seq.replay.simplify import read_by, refs
from tinygrad_seq.replay.tape import Equation, Ref

PRODUCTS = frozenset({"absolute", "maximum", "multiply", "negative"})  # as small as what they are made of
far = 40.0  # where sigmoid is 1


def one_tanh(work: Pass) -> list[Equation]:
    """Compute gates by one tanh, where some are sigmoids and some are tanhs."""
    parts: dict[int, dict[Span, Equation]] = defaultdict(dict)
    for equation in work.calls("getitem"):
        columns = columns_of(work, equation)
        if columns:
            parts[equation.args[0].number][columns] = equation
    readers: dict[int, list[Equation]] = defaultdict(list)
    near = {equation.made for equation in work.calls("getitem", "minimum", "exp", "add", "divide")} if parts else set()
    for equation in work.equations if parts else ():
        for n in near.intersection(read_by(equation)):
            readers[n].append(equation)
    exact = {*work.outputs, *(exact_in(work) if parts else ())}
    scaled: dict[Any, Ref] = {}
    for number, spans in parts.items():
        z, order = work.maker.get(number), sorted(spans)
        gates = [gate for span in order if (gate := gate_of(spans[span].made, readers, exact))]
        covers = z is not None and [0, *(end for _, end in order)] == [*(start for start, _ in order), z.shape[-1]]
        halves = [0.5 if gate.function == "divide" else 1.0 for gate in gates]
        is_read = work.reads[number] > len(spans) or len(gates) < len(spans)  # by others
        if z is None or not covers or is_read or len(set(halves)) < 2 or z.dtype.kind != "f" or len(z.shape) < 2:
            continue
        work.at(gates[0].made)
        shape, dtype = z.shape, z.dtype
        key = "rows", tuple(order), tuple(halves), dtype
        if key not in scaled:
            rows = [work.make("full", (1, end - start), dtype, (1, end - start), half, dtype)
                    for (start, end), half in zip(order, halves)]  # fmt: skip
            scaled[key] = work.make("concatenate", (1, shape[-1]), dtype, tuple(rows), 1)
        row = scaled[key]
        y = work.make("tanh", shape, dtype, times(work, Ref(number), row, scaled))
        y = work.make("multiply", shape, dtype, y, row)
        rest = work.make("subtract", (1, shape[-1]), dtype, host.asarray(1.0, dtype), row)
        y = work.make("add", shape, dtype, y, rest)
        for (start, end), gate in zip(order, gates):
            work.remake(gate, "getitem", y, index(shape[:-1], start, end))
    return work.result()


def exact_in(work: Pass) -> set[int]:
    """Return the values whose small numbers count, for their logarithm is taken, or something is divided by them."""
    found = set[int]()
    for equation in reversed(work.equations):
        function, args = equation.function, equation.args
        is_root = function == "power" and (isinstance(args[1], Ref) or args[1] < 1.0)
        is_product = equation.made in found and (function in PRODUCTS or function not in NEW)
        if function in ("divide", "log", "sqrt") or is_root or is_product:
            found.update(refs(args[function == "divide" :]))
    return found


def gate_of(x: int, readers: dict[int, list[Equation]], exact: set[int]) -> Equation | None:
    """Return the equation that makes tanh(x), or sigmoid(x): a division; None where something else is done to x."""
    first = readers[x][0] if len(readers[x]) == 1 else None
    if first is None or first.function != "minimum":
        return first if first is not None and first.function == "tanh" else None
    e = readers[first.made][0]
    made = sorted(readers[e.made], key=lambda equation: equation.function)
    if [e.function, *(equation.function for equation in made)] != ["exp", "add", "divide"]:
        return None
    total, y = made
    is_sigmoid = y.args == (Ref(e.made), Ref(total.made)) and total.args[1] == 1.0 and first.args[1] >= far
    is_factor = y.made not in exact and all(reader.function in ("multiply", "subtract") for reader in readers[y.made])
    return y if is_sigmoid and is_factor and len(readers[first.made]) == len(readers[total.made]) == 1 else None


def times(work: Pass, x: Ref, row: Ref, known: dict[Any, Ref]) -> Ref:
    """Return a value times a row; of a sum, a product or a view, what it is made of is multiplied."""
    if (x, row) in known:
        return known[x, row]
    made, shape, (_, width) = work.of(x), work.shapes[x.number], work.shapes[row.number]
    args: Any = None
    if made is not None and made.args and isinstance(made.args[0], Ref) and len(shape) > 1 and shape[-1] == width:
        before = work.shapes[made.args[0].number]
        if made.function == "add" and isinstance(made.args[1], Ref):
            args = [times(work, each, row, known) for each in made.args]
        elif made.function == "dot" and len(work.shapes[made.args[1].number]) == 2:
            args = made.args[0], times(work, made.args[1], row, known)
        elif work.view(x.number) or (made.function == "reshape" and len(before) > 1 and before[-1] == width):
            args = times(work, made.args[0], row, known), *made.args[1:]
    if made is not None and args is not None:
        known[x, row] = work.make(made.function, shape, made.dtype, *args, **made.options)
    else:
        shape = host.broadcast_shapes(shape, (1, width))
        known[x, row] = work.make("multiply", shape, work.maker[row.number].dtype, x, row)
    return known[x, row]
