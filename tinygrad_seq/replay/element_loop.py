"""A loop over time as loops over elements, for Numba: what is in no need of memory is computed where it is read.

A product of matrices, a sum and what is carried, kept or read more than once get a buffer; everything else becomes part
of the innermost loop that reads it. Each such loop writes one buffer, so that LLVM can compute many elements at once.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.replay.element_forms import FORMS, VIEWS, WHOLE, NoElements, is_kind, kind_of
from tinygrad_seq.replay.expressions import ATOM
from tinygrad_seq.replay.loop_text import LoopText
from tinygrad_seq.replay.loops import Carried, Item, Local, Loop, Moving, Part
from tinygrad_seq.replay.nest import Nest, indexed, plus, written
from tinygrad_seq.replay.tape import Equation, Ref
from tinygrad_seq.replay.tidy import is_transpose

Index = tuple[tuple[str, int], ...]  # of an element: a variable and what is added to it, in every dimension
Shape = tuple[int, ...]


class ElementLoop(LoopText):
    """The text of a function that runs a loop, and the line that calls it."""

    def __init__(self, program: Any, loop: Loop) -> None:
        super().__init__(program, loop)
        dtypes = {body.dtype.name for body in loop.body if body.dtype is not None and body.dtype.kind == "f"}
        for body in loop.body:
            known = body.function in FORMS or body.function in VIEWS or body.function in WHOLE
            if not known or not body.options.keys() <= ({"axis", "keepdims"} if body.function == "sum" else set()):
                raise NoElements(body.function)
        if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
            raise NoElements(f"arithmetic in {', '.join(sorted(dtypes))}")
        self.dtype = next(iter(dtypes), "float64")
        self.given: dict[str, str] = {}  # of an argument of the function: its text in the program
        self.body: list[str] = []
        self.nests: list[Nest] = []  # loops over elements that share the loops over their rows
        self.choose()

    def choose(self) -> None:
        """Choose what gets a buffer."""
        kept = {i for i, numbers in self.kept.items() if numbers}
        self.stored = kept | set(self.loop.starts)
        for i, body in enumerate(self.loop.body):
            if body.function in WHOLE or (self.uses[i] > 1 and body.function not in VIEWS):
                self.stored.add(i)
            if body.function == "dot":
                self.stored.update(x.position for x in map(self.behind, body.args) if isinstance(x, Local))

    def behind(self, x: Any) -> Any:
        """Return what a transposed value is the transpose of."""
        body = self.loop.body[x.position] if isinstance(x, Local) else None
        return body.args[0] if body and is_transpose(body) else x

    # --------------------------------------------------------------------------------------------------- the function

    def lines(self) -> Iterator[str]:
        """Yield the line that calls the function, which is added to the program's, and say how its values are read."""
        program, loop = self.program, self.loop
        name = program.free_name("loop")
        series = {i: numbers for i, numbers in self.kept.items() if numbers and numbers != [loop.made[i][-1]]}
        for i in sorted(self.stored):
            label = next((program.labels[n] for n in loop.made[i] if n in program.labels), f"v{i}")
            self.names[i] = program.free_name(f"{label}_all" if i in series else label)
        self.longer = {i for i in series if i in loop.starts}
        head: list[str] = []
        for i, made in self.names.items():
            shape, kind = loop.body[i].shape, kind_of(loop.body[i])
            if i in series:
                shape = loop.count + (i in self.longer), *shape
            head.append(f"{made} = np.empty({shape}, np.{kind})")
            if i in loop.starts:
                start = self.array(Ref(loop.starts[i]))
                if i in self.longer:
                    head.append(f"{made}[0] = {start}{'' if shape[1:] else '[()]'}")
                else:
                    head += [f"{made}[...] = {start}", f"{made}_next = np.empty_like({made})"]
        for i, equation in enumerate(loop.body):
            if i in self.stored:
                self.store(i, equation)
        self.flush()
        self.body += [f"{made}, {made}_next = {made}_next, {made}" for i, made in self.names.items() if self.rolls(i)]
        returned = [self.names[i] for i, numbers in self.kept.items() if numbers]
        if not returned:
            raise NoElements("a loop of which nothing is read")
        time = [] if (self.start, self.by) == (0, 1) else [f"t = {self.start} {'+' if self.by > 0 else '-'} k"]
        first = "t" if not time else "k"
        self.body = [line.replace("<k>", first) for line in self.body]
        program.functions.append("\n".join([
            f"def {name}({', '.join(self.given)}):",
            *(f"    {line}" for line in head),
            f"    for {first} in range({loop.count}):",
            *(f"        {line}" for line in (*time, *self.body)),
            f"    return {', '.join(returned)}",
        ]))  # fmt: skip
        yield from self.series
        yield f"{', '.join(returned)} = {name}({', '.join(self.given.values())})"
        for i, numbers in self.kept.items():
            if i in series:
                offset = int(i in self.longer)
                program.lengths[self.names[i]] = loop.count + offset
                program.arrays.add(self.names[i])
                if offset:
                    program.series.setdefault(loop.starts[i], (self.names[i], 0))
                program.series.update((n, (self.names[i], k + offset)) for k, n in enumerate(loop.made[i]))
            elif numbers:
                program.texts[loop.made[i][-1]] = self.names[i], ATOM

    def rolls(self, i: int) -> bool:
        """Tell whether a buffer holds one step, and the next one is another buffer."""
        return i in self.loop.starts and i not in self.longer

    def array(self, x: Any) -> str:
        """Return the name of an array from outside in the function."""
        if isinstance(x, Item):
            along = self.program.along(x.numbers)
            if along is None:
                text, line = self.program.series_name(x)
                self.series += [line] if line else []
                text = f"xp.stack({text})"
            else:
                text = self.program.series[x.numbers[0]][0]
        else:
            text = self.program.read(x.whole if isinstance(x, Part) else x)[0]
        known = next((name for name, given in self.given.items() if given == text), None)
        if known is None:
            known = text if text.isidentifier() else self.program.free_name("array")
            self.given[known] = text
        return known

    def place(self, x: Any) -> tuple[str, list[str]]:
        """Return the array that holds a value, and where in it the value of this step is."""
        if isinstance(x, Ref):
            return self.array(x), []
        if isinstance(x, Part):
            return self.array(x), [self.moving(x.at)]
        if isinstance(x, Item):
            along = self.program.along(x.numbers)
            return self.array(x), ["<k>" if along is None else self.moving(along)]
        name, in_series = self.names[x.position], self.kept.get(x.position)
        if isinstance(x, Carried):
            return name, ["<k>"] if x.position in self.longer else []
        if self.rolls(x.position):
            return f"{name}_next", []
        is_series = in_series and in_series != [self.loop.made[x.position][-1]]
        return name, [plus("<k>", int(x.position in self.longer))] if is_series else []

    def shape(self, x: Any) -> Shape:
        """Return the shape of a value in one step."""
        if isinstance(x, Local | Carried):
            return self.loop.body[x.position].shape
        shapes: dict[int, Shape] = self.program.shapes
        if isinstance(x, Part):
            return shapes[x.whole.number][1:]
        return shapes[x.numbers[0] if isinstance(x, Item) else x.number]

    # ----------------------------------------------------------------------------------------------------- statements

    def store(self, i: int, equation: Equation) -> None:
        """Write the lines that compute the value of a position."""
        name, at = self.place(Local(i))
        if equation.function == "dot":
            self.flush()
            left, right = map(self.matrix, equation.args)
            self.body.append(f"np.dot({left}, {right}, {indexed(name, at)})")
        elif equation.function == "concatenate":
            axis, offset = int(equation.args[1]), 0
            for part in equation.args[0]:
                shape = self.shape(part)
                offsets = [offset if dimension == axis % len(shape) else 0 for dimension in range(len(shape))]
                self.nest(shape, name, at, offsets, partial(self.element, x=part, shape=shape))
                offset += shape[axis]
        elif equation.function == "sum":
            self.total(i, equation)
        else:
            shape = equation.shape
            self.nest(shape, name, at, [0] * len(shape), partial(self.computed, equation=equation))

    def matrix(self, x: Any) -> str:
        """Return the text of an operand of a product."""
        inner = self.behind(x)
        return indexed(*self.place(inner)) + (".T" if inner is not x else "")

    def total(self, i: int, equation: Equation) -> None:
        """Add up elements over some dimensions."""
        self.flush()
        x, shape = equation.args[0], self.shape(equation.args[0])
        axis = equation.options.get("axis")
        asked = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = [each % len(shape) for each in asked]
        stays = bool(equation.options.get("keepdims"))
        name, at = self.place(Local(i))
        self.body.append(f"{indexed(name, [*at, '...'] if equation.shape else at or ['()'])} = 0")
        nest = Nest(shape)
        index = tuple((variable, 0) for variable in nest.variables)
        value = self.element(nest, x, index, shape)
        to = [("0" if k in axes else variable) for k, variable in enumerate(nest.variables) if stays or k not in axes]
        nest.lines.append(f"{indexed(name, [*at, *to] or ['()'])} += {value}")
        self.body += written([nest])

    def nest(self, shape: Shape, name: str, at: list[str], offsets: list[int], value: Callable[..., str]) -> None:
        """Add a loop over elements that writes a buffer."""
        if self.nests and self.nests[0].shape[:-1] != shape[:-1]:
            self.flush()
        nest = Nest(shape)
        nest.at_once = {each.target for each in self.nests}
        index = tuple((variable, 0) for variable in nest.variables)
        text = value(nest, index=index)
        if nest.other_rows:  # reads rows of another buffer that are not written yet
            self.flush()
        to = [plus(variable, offset) for variable, offset in zip(nest.variables, offsets)]
        nest.target = name
        nest.lines.append(f"{nest.load(name, [*at, *to])} = {text}")
        self.nests.append(nest)

    def flush(self) -> None:
        """Write the loops over elements that are waiting, those over the same rows together."""
        self.body += written(self.nests)
        self.nests = []

    # ------------------------------------------------------------------------------------------------------- elements

    def element(self, nest: "Nest", x: Any, index: Index, shape: Shape) -> str:
        """Return the text of one element of an argument, at an index into that shape, to which it is broadcast."""
        if not isinstance(x, Ref | Local | Carried | Item | Part):
            return self.number(x)
        own = self.shape(x)
        index = index[len(index) - len(own) :]
        index = tuple(("0", 0) if size == 1 else at for at, size in zip(index, own))
        if isinstance(x, Local) and x.position not in self.stored:
            return self.computed(nest, self.loop.body[x.position], index)
        name, at = self.place(x)
        rows = [plus(*each) for each in index[:-1]]
        if isinstance(x, Local) and name in nest.at_once and rows != nest.variables[: len(rows)]:
            nest.other_rows = True
        return nest.load(name, [*at, *(plus(*each) for each in index)])

    def number(self, x: Any) -> str:
        """Return the text of a number."""
        if type(x) in modules and not x.ndim:
            x = x.item()
        if type(x) is float:
            return f"np.{self.dtype}({x!r})" if abs(x) < host.inf else f'np.{self.dtype}(float("{x}"))'
        if type(x) in (int, bool):
            return repr(x)
        raise NoElements(f"an argument {type(x).__name__}")

    def computed(self, nest: "Nest", equation: Equation, index: Index) -> str:
        """Return the text of one element of the value of an equation."""
        function, x = equation.function, equation.args[0]
        if function not in VIEWS:
            parts = [self.element(nest, part, index, equation.shape) for part in equation.args if not is_kind(part)]
            if function == "power" and equation.args[1] in (2, 2.0):
                return nest.named(f"{parts[0]} * {parts[0]}")
            text = FORMS[function].format(*parts)
            return nest.named(f"np.{kind_of(equation)}({text})" if function == "astype" else text)
        shape = self.shape(x)
        if function == "broadcast_to" or function in ("ascontiguousarray", "copy"):
            return self.element(nest, x, index, equation.shape)
        if function in ("transpose", "swapaxes"):
            order = list(range(len(shape)))
            if function == "swapaxes":
                a, b = (axis % len(shape) for axis in equation.args[1:])
                order[a], order[b] = order[b], order[a]
            else:
                order = list(equation.args[1]) if len(equation.args) > 1 else order[::-1]
            return self.element(nest, x, tuple(index[order.index(k)] for k in range(len(shape))), shape)
        if function == "reshape":
            left = [at for at, size in zip(index, equation.shape) if size != 1]
            if [size for size in shape if size != 1] != [size for size in equation.shape if size != 1]:
                raise NoElements("reshape")
            return self.element(nest, x, tuple(("0", 0) if size == 1 else left.pop(0) for size in shape), shape)
        return self.element(nest, x, self.part(equation, index, shape), shape)

    def part(self, equation: Equation, index: Index, shape: Shape) -> Index:
        """Return where in x an element of x[a:b, c, ...] is."""
        asked = equation.args[1] if isinstance(equation.args[1], tuple) else (equation.args[1],)
        left, found = list(index), []
        for each in asked:
            if isinstance(each, slice) and each.step in (None, 1) and (each.start or 0) >= 0:
                variable, offset = left.pop(0)
                found.append((variable, offset + (each.start or 0)))
            elif type(each) is int and each >= 0:
                found.append(("0", each))
            elif isinstance(each, Moving):
                found.append((self.moving(each), 0))
            else:
                raise NoElements("this index")
        return (*found, *left)
