"""How a compiled loop writes: every kind of value into a buffer of its own, by loops over elements."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tinygrad_seq.engine.backend import host
from tinygrad_seq.replay.compiled.elements import Index, Shape, many, spelled_out
from tinygrad_seq.replay.compiled.nest import Nest, filled, indexed, plus, written
from tinygrad_seq.replay.compiled.products import Products
from tinygrad_seq.replay.passes.loops import VALUES, Local, Loop, Moving
from tinygrad_seq.replay.passes.rewriting import axes_of
from tinygrad_seq.replay.text.element_forms import PRODUCTS, REDUCED, NoElements, kind_of, start_of
from tinygrad_seq.replay.trace.tape import Equation, Ref, leaves


class Stores(Products):
    """Lines that write buffers."""

    def __init__(self, program: Any, loop: Loop, function: Any) -> None:
        super().__init__(program, loop, function)
        self.body: list[str] = []  # lines in the loop
        self.nests: list[Nest] = []  # loops over elements that share the loops over their rows
        self.parts: set[int] = set()  # positions that are other memory, seen in another shape

    def store(self, i: int) -> None:
        """Add the lines that compute the value of a position."""
        equation = self.loop.body[i]
        name, at = self.place(Local(i))
        function, shape = equation.function, equation.shape
        if i in self.parts:
            self.flush()
            run = self.program.neighbours(equation)
            text = indexed(*self.place(equation.args[0])) if run is None else self.local(run)
            self.body.append(f"{name} = {text}" + (f".reshape({shape})" if function != "stack" else ""))
        elif function in PRODUCTS:
            self.flush()
            dtypes = {self.dtype(x) for x in equation.args}
            if dtypes != {equation.dtype} or equation.dtype.kind != "f" or len(shape) < 2:
                raise NoElements(f"{function} of these")
            self.body += self.product(equation, name, at)
        elif function in ("concatenate", "stack"):
            self.join(equation, name, at)
        elif function in ("with_added", "with_item"):
            self.change(equation, name, at)
        elif function == "argmax" or function in REDUCED:
            self.reduce(equation, name, at)
        else:
            if function == "getitem":
                self.check_ids(equation, self.shape(equation.args[0]))
            self.nest(shape, name, at, [0] * len(shape), partial(self.computed, equation=equation))

    def join(self, equation: Equation, name: str, at: list[str]) -> None:
        """Write pieces beside each other into one buffer, neighbours in a series at once."""
        pieces, axis, *_ = *equation.args, None
        is_stack = equation.function == "stack"
        runs = self.runs(pieces) if not axis else [[piece] for piece in pieces]
        if len(runs) > many or type(axis) is not int or equation.options:
            raise NoElements(f"{equation.function} of these")
        offset = 0
        for run in runs:
            shape, to = self.shape(run[0]), [*at, str(offset)] if is_stack else at
            value: Callable[..., str] = partial(self.element, x=run[0], shape=shape)
            if len(run) > 1:
                shape, to = (len(run), *shape) if is_stack else (len(run) * shape[0], *shape[1:]), at
                text = self.program.run(run[0].number, run[-1].number) + ("" if is_stack else f".reshape({shape})")
                value = partial(element_of, self.local(text))
            self.nest(shape, name, to, [offset * (d == axis and to is at) for d in range(len(shape))], value)
            offset += shape[axis] if to is at else 1

    def runs(self, pieces: Sequence[Any]) -> list[list[Any]]:
        """Return pieces in the same order, those together that are neighbours in a series."""
        found: list[list[Any]] = []
        left = iter(pieces)
        for run in self.program.runs([x.number if isinstance(x, Ref) else -1 for x in pieces]):
            places = [self.program.series.get(n, ("", 0)) for n in run]
            is_block = len(run) > 2 and places[0][0] in self.program.arrays and places[0][1] < places[1][1]
            own = [next(left) for _ in run]
            found += [own] if is_block else [[piece] for piece in own]
        return found

    def change(self, equation: Equation, name: str, at: list[str]) -> None:
        """Put values at an index into a copy of x, or add them there, repeats included."""
        x, asked, value = equation.args
        shape, adds = equation.shape, equation.function == "with_added"
        self.nest(shape, name, at, [0] * len(shape), partial(self.element, x=x, shape=shape))
        self.flush()
        self.check_ids(equation, shape)
        stands = [self.stand_in(each) for each in (asked if isinstance(asked, tuple) else (asked,))]
        nest = Nest(host.broadcast_to(0, shape)[tuple(stands)].shape)
        index = tuple((variable, 0) for variable in nest.variables)
        text = self.element(nest, value, index, nest.shape, equation.dtype.name if equation.dtype.kind == "f" else "")
        to = indexed(name, [*at, *(plus(*each) for each in self.found(asked, index, shape))] or ["()"])
        nest.lines.append(f"{to} {'+=' if adds else '='} {text}")
        self.body += written([nest])

    def stand_in(self, x: Any) -> Any:
        """Return an index of the same shape as a part of an index."""
        return host.zeros(self.shape(x), int) if isinstance(x, VALUES) else 0 if isinstance(x, Moving) else x

    def check_ids(self, equation: Equation, shape: Shape) -> None:
        """Add the lines that raise where ids are out of range, as NumPy does."""
        parts = [each for each in spelled_out(equation.args[1], shape) if each is not None]
        for each, size in zip(parts, shape):
            if isinstance(each, VALUES):
                self.flush()
                name, at = self.place(each)
                if at and not self.shape(each):  # one id: an array of it
                    at = [*at[:-1], f"{at[-1]}:{at[-1]} + 1"]
                self.body.append(f"check_ids({indexed(name, at)}, {size})")

    def reduce(self, equation: Equation, name: str, at: list[str]) -> None:
        """Reduce elements over some dimensions, to their sum, say, or to where the largest is."""
        self.flush()
        x, shape, function = equation.args[0], self.shape(equation.args[0]), equation.function
        axes = axes_of(equation, len(shape))
        start = start_of(function, self.dtype(x))
        nest = Nest(shape)
        value = self.element(nest, x, tuple((variable, 0) for variable in nest.variables), shape)
        stays = bool(equation.options.get("keepdims"))
        to = [("0" if k in axes else variable) for k, variable in enumerate(nest.variables) if stays or k not in axes]
        total = indexed(name, [*at, *to] or ["()"])
        if function == "argmax":
            if axes != (len(shape) - 1,):
                raise NoElements("argmax along such an axis")
            value = value if value.isidentifier() else nest.named(value)
            nest.around = [f"best, where = {start}, 0"], [f"{total} = where"]
            nest.lines += [
                f"if {value} > best or ({value} != {value} and best == best):",
                f"    best, where = {value}, j",
            ]
            self.body += written([nest])
            return
        kind, step = kind_of(equation), REDUCED[function]
        exact = kind.replace("float32", "float64") if function == "sum" else kind
        if len(axes) == len(shape) > 1 and function == "sum":  # first of rows: quick, and as exact as sums in pairs
            rows = self.program.free_name(f"{name}_rows")
            self.head.append(f"{rows} = np.empty({shape[-1]}, np.{kind})")
            nest.lines.append(f"{rows}[j] += {value}")
            self.body += [*filled(shape[-1:], rows, [], "0"), *written([nest])]
            added = Nest(shape[-1:])
            added.around = [f"total = np.{exact}(0)"], [f"{total} = total"]
            added.lines.append(f"total += {rows}[j]")
            self.body += written([added])
            return
        self.body += filled(equation.shape, name, at, start)
        if len(shape) - 1 in axes:  # in a register
            nest.around = [f"total = np.{exact}({start})"], [f"{total} = {step.format(total, 'total')}"]
            total = "total"
        nest.lines.append(f"{total} = {step.format(total, value)}")
        self.body += written([nest])

    def nest(self, shape: Shape, name: str, at: list[str], offsets: list[int], value: Callable[..., str]) -> None:
        """Add a loop over elements that writes a buffer."""
        if self.nests and self.nests[0].shape[:-1] != shape[:-1]:
            self.flush()
        nest = Nest(shape)
        nest.at_once = {each.target for each in self.nests}
        index: Index = tuple((variable, 0) for variable in nest.variables)
        text = value(nest, index=index)
        related = any(name in nest.at_once or not nest.rows.keys().isdisjoint(each.rows) for each in self.nests)
        if nest.other_rows or not related:  # it reads rows that are not written yet, or nothing that is read here
            self.flush()
        to = [plus(variable, offset) for variable, offset in zip(nest.variables, offsets)]
        nest.target = name
        nest.lines.append(f"{nest.load(name, [*at, *to])} = {text}")
        self.nests.append(nest)

    def flush(self) -> None:
        """Write the loops over elements that are waiting, those over the same rows together."""
        self.body += written(self.nests)
        self.nests = []


def ids_of(equation: Equation) -> list[Any]:
    """Return the arrays in the index of a call."""
    asked = equation.args[1:2] if equation.function in ("getitem", "with_added", "with_item") else ()
    return [each for each in leaves(asked) if isinstance(each, VALUES)]


def element_of(name: str, nest: Nest, index: Index) -> str:
    """Return the text of one element of an array."""
    return nest.load(name, [plus(*each) for each in index])
