"""A pass over equations of a GPU: elementwise calls become kernels, so that one launch does what many would do.

    a = xp.tanh(x + h)                          a, b = kernel_1(x, h, c)
    b = a * c

Each kernel takes in all calls of one shape that wait for no other ones, nor for a product of matrices. Its text is C++.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import isfinite
from typing import Any

from tinygrad_seq.engine import backend
from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.replay.passes.factors import rebuilt
from tinygrad_seq.replay.passes.loops import VALUES, Carried, Local, Loop, Statement, from_the_last, outside, read_in
from tinygrad_seq.replay.passes.simplify import changed
from tinygrad_seq.replay.text.element_forms import BOOLS, COMPARED, SAME
from tinygrad_seq.replay.trace.tape import Equation, Ref, read_by

FORMS = SAME | COMPARED | BOOLS | {
    "power": "pow({}, {})", "sqrt": "sqrt({})", "sin": "sin({})", "cos": "cos({})", "where": "where({}, {}, {})",
    "minimum": "minimum({}, {})", "maximum": "maximum({}, {})",
}  # fmt: skip
TYPES = {"float32": "float", "float64": "double", "bool": "bool"}  # in C++
room = 4000  # bytes for the arguments of a kernel, of which CUDA has 4096
PREAMBLE = """
template <typename T> __device__ T where(bool condition, T a, T b) { return condition ? a : b; }
template <typename T> __device__ T minimum(T a, T b) { return a <= b || a != a ? a : b; }
template <typename T> __device__ T maximum(T a, T b) { return a >= b || a != a ? a : b; }
"""


@dataclass(frozen=True, slots=True)
class KernelText:
    """What a kernel is given and makes, as "float32 x0, float32 x1", and its lines in C++.

    What is called `y0` there may have a name; kernels that differ only in names are one.
    """

    given: str
    made: str
    lines: tuple[str, ...]
    names: dict[str, str] = field(compare=False)

    def line(self, name: str) -> str:
        """Return the line of a program that makes the kernel."""
        made, *lines = (
            re.sub(r"\b[vy]\d+\b", lambda found: self.names.get(found[0], found[0]), text)
            for text in (self.made, *self.lines)
        )
        return "\n    ".join([f'{name} = kernel("{self.given}", "{made}", """', *lines]) + '\n""")'


class Kernel:
    """A kernel: it takes arrays that are broadcast, and makes one array, or several."""

    def __init__(self, given: str, made: str, text: str) -> None:
        self.dtypes = [each.split()[0] for each in made.split(", ")]
        self.compiled = backend.gpu.ElementwiseKernel(given, made, text, "replayed", preamble=PREAMBLE)

    def __call__(self, *given: Any, out: Any = None) -> Any:
        """Compute; write into the arrays of `out`, where it has some."""
        if out is None:
            return self.compiled(*given)
        outs = out if isinstance(out, tuple) else (out,)
        shape = next(x.shape for x in outs if x is not None)
        made = [backend.gpu.empty(shape, dtype) if x is None else x for x, dtype in zip(outs, self.dtypes)]
        return self.compiled(*given, *made)


def with_kernels(
    statements: Sequence[Statement],
    outputs: Sequence[int],
    dtypes: dict[int, Any],
    labels: dict[int, str],
    new: Callable[[], int],
) -> list[Statement]:
    """Return statements in which kernels stand for elementwise calls, within loops and between them."""

    def fused(run: list[Any], kept: set[int]) -> Sequence[Statement]:
        if isinstance(run[0], Loop):
            return [of_loop(run[0], kept, dtypes, labels, new)]
        return Fusion(run, kept, lambda x: dtypes.get(x.number), labels, new).result()

    return from_the_last([list(run) for _, run in groupby(statements, loop_or_not)], outputs, fused)


def loop_or_not(statement: Statement) -> int:
    """Return a key that groups neighbouring equations; each loop has its own."""
    return id(statement) if isinstance(statement, Loop) else 0


def of_loop(
    loop: Loop, kept: Container[int], dtypes: dict[int, Any], labels: dict[int, str], new: Callable[[], int]
) -> Loop:
    """Return a loop with kernels in its body, which is seen as equations and put together again."""
    own = [new() for _ in loop.body]
    body = dict(zip(own, loop.body))

    def opened(x: Any) -> Any:
        return Ref(own[x.position]) if isinstance(x, Local) else x

    def dtype(x: Any) -> Any:
        numbers = (own[x.position], loop.starts[x.position]) if isinstance(x, Carried) else outside(x)
        found = {body[n].dtype if n in body else dtypes.get(n) for n in numbers}
        return found.pop() if len(found) == 1 else host.dtype(object)  # another at another step

    called = {n: labels[k] for n, made in zip(own, loop.made) for k in made if k in labels}
    read_later = {n for i, n in enumerate(own) if i in loop.starts or any(k in kept for k in loop.made[i])}
    flat = [replace(changed(equation, opened), made=made) for made, equation in body.items()]
    found = Fusion(flat, read_later, dtype, called, new).result()
    at = {equation.made: i for i, equation in enumerate(found)}

    def closed(x: Any) -> Any:
        return Local(at[x.number]) if isinstance(x, Ref) and x.number in at else x

    equations = [changed(equation, closed) for equation in found]
    return rebuilt(loop, equations, {i: at[n] for i, n in enumerate(own) if n in at}, kept, new)


class Fusion:
    """Equations, and which of them may be one kernel.

    Calls of one shape are in one kernel where none waits for another by way of something else: where as many changes
    between kernels and other calls lead up to each.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        kept: Container[int],
        dtype: Callable[[Any], Any],
        labels: dict[int, str],
        new: Callable[[], int],
    ) -> None:
        self.equations, self.kept, self.dtype, self.labels, self.new = equations, kept, dtype, labels, new
        self.readers = Counter(n for equation in equations for n in set(read_by(equation)))

    def result(self) -> list[Equation]:
        """Return the equations with kernels in place of elementwise ones."""
        level: dict[int, int] = {}
        inner: dict[int, Equation] = {}  # what kernels compute
        groups: dict[Any, list[Equation]] = defaultdict(list)
        for i, equation in enumerate(self.equations):
            fits = self.own_type(equation) is not None
            before = [
                level[n] + (n in inner and not (fits and inner[n].shape == equation.shape))
                for n in read_by(equation)
                if n in level
            ]
            level[equation.made] = max(before, default=0)
            if fits:
                inner[equation.made] = equation
            groups[level[equation.made], fits, equation.shape if fits else i].append(equation)
        result: list[Equation] = []
        for (_, fits, _), group in sorted(groups.items(), key=lambda item: item[0][:2]):
            for part in parts_of(group) if fits else [group]:
                result += self.kernel(part) if len(part) > 1 else part
        return result

    def own_type(self, equation: Equation) -> str | None:
        """Return the dtype in which a call computes, or None where it has no form in a kernel."""
        function, args = equation.function, equation.args
        if function not in FORMS or equation.dtype is None or equation.options:
            return None
        if not all(isinstance(x, VALUES) or is_number(x) for x in args):
            return None
        found = [getattr(self.dtype(x), "name", None) for x in args if isinstance(x, VALUES)]  # None: Python's number
        if function == "where" and not (isinstance(args[0], VALUES) and found.pop(0) == "bool"):
            return None
        types = {name for name in found if name is not None}
        if function == "multiply":
            types.discard("bool")  # a mask
        own = types.pop() if len(types) == 1 else ""
        is_right = equation.dtype.name == ("bool" if function in COMPARED else own)
        return own if is_right and own in TYPES and (own == "bool") == (function in BOOLS) else None

    def kernel(self, part: list[Equation]) -> Iterator[Equation]:
        """Yield the call of a kernel that computes what some equations do, and what takes its results apart."""
        inside = Counter(n for equation in part for n in set(read_by(equation)))
        results = [each for each in part if each.made in self.kept or self.readers[each.made] > inside[each.made]]
        names: dict[Any, str] = {Ref(equation.made): f"y{k}" for k, equation in enumerate(results)}
        given: dict[str, Any] = {}  # of what is declared, as "float32 x0": the argument
        lines: list[str] = []
        for equation in part:
            own = self.own_type(equation) or ""
            texts = []
            for x in equation.args:
                if isinstance(x, VALUES) and x not in names:
                    names[x] = f"x{len(given)}"
                    given[f"{getattr(self.dtype(x), 'name', own)} {names[x]}"] = x
                texts.append(names[x] if isinstance(x, VALUES) else f"{TYPES[own]}({float(x)!r})")
            is_square = equation.function == "power" and texts[1] == f"{TYPES[own]}(2.0)"
            line = "{0} * {0}" if is_square else FORMS[equation.function]
            declared = "" if Ref(equation.made) in names else f"const {TYPES[equation.dtype.name]} "
            name = names.setdefault(Ref(equation.made), f"v{len(lines)}")
            lines.append(f"{declared}{name} = {line.format(*texts)};")
        made = ", ".join(f"{equation.dtype.name} {names[Ref(equation.made)]}" for equation in results)
        last = {self.labels[each.made]: names[Ref(each.made)] for each in part if each.made in self.labels}
        in_cpp = re.compile(r"[a-zA-Z]\w*", re.ASCII)  # and with _ at the end, no word of C++
        shown = {name: f"{label}_" for label, name in last.items() if in_cpp.fullmatch(label)}
        args = KernelText(", ".join(given), made, tuple(lines), shown), *given.values()
        if len(results) == 1:
            yield replace(results[0], function="kernel", args=args, options={})
            return
        number = self.new()
        yield Equation(number, "kernel", args, {"results": tuple(each.made for each in results)}, part[0].shape)
        for k, equation in enumerate(results):
            yield replace(equation, function="getitem", args=(Ref(number), k), options={})


def parts_of(group: list[Equation]) -> Iterator[list[Equation]]:
    """Yield the calls of a group, no more at once than a kernel can have arguments for.

    CuPy gives a kernel of every array where it is, its size, its shape and its strides. The count is too high: what is
    made and read within a kernel is no argument.
    """
    part: list[Equation] = []
    values: set[Any] = set()
    for equation in group:
        own = {Ref(equation.made), *(x for x in read_in(equation) if isinstance(x, VALUES))}
        values |= own
        if part and len(values) * 16 * (1 + len(equation.shape)) > room:
            yield part
            part, values = [], own
        part.append(equation)
    yield part


def is_number(x: Any) -> bool:
    """Tell whether an argument is a finite number."""
    return (type(x) in (int, float) or (type(x) in modules and not x.ndim)) and isfinite(x)
