"""How a compiled loop reads elements: an index goes through views, cheap values are computed where they are read."""

import re
from typing import Any

from tinygrad_seq.engine.backend import host, modules
from tinygrad_seq.replay.compiled.nest import Nest, filled, indexed, plus
from tinygrad_seq.replay.passes.loops import VALUES, Carried, Item, Local, Loop, Moving, Part, outside, shape_outside
from tinygrad_seq.replay.text.along import Along
from tinygrad_seq.replay.text.element_forms import FORMS, MAKERS, OWN_MATH, VIEWS, NoElements, is_kind, kind_of
from tinygrad_seq.replay.trace.tape import Equation, Ref

many = 64  # pieces that are joined, each by lines of its own
Index = tuple[tuple[str, int], ...]  # of an element: a variable and what is added to it, in every dimension
Shape = tuple[int, ...]


class Elements(Along):
    """Texts of elements. What has a buffer is read there."""

    def __init__(self, program: Any, loop: Loop, function: Any) -> None:
        super().__init__(program, loop)
        self.function = function  # the CompiledPart that the loop is in
        self.stored: set[int] = set()  # positions that have a buffer
        self.next: dict[int, str] = {}  # of what is carried in one buffer: the name of the other, for the next step
        self.head: list[str] = []  # lines before the loop
        self.outside: dict[str, str] = {}  # of a text of something from outside: its name in the function

    def shape(self, x: Any) -> Shape:
        """Return the shape of a value in one step, or of a number."""
        if isinstance(x, Local | Carried):
            return self.loop.body[x.position].shape
        return shape_outside(x, self.program.shapes) or ()

    def dtype(self, x: Any) -> Any:
        """Return the dtype of a value, None for a number of Python."""
        if isinstance(x, Local | Carried):
            return self.loop.body[x.position].dtype
        return self.program.dtypes[outside(x)[0]]

    def element(self, nest: Nest, x: Any, index: Index, shape: Shape, kind: str = "") -> str:
        """Return the text of one element of an argument, at an index into that shape, to which it is broadcast.

        A number of Python takes on a kind of float, as beside an array.
        """
        if not isinstance(x, VALUES):
            return self.number(x, kind)
        if self.dtype(x) is None:
            return f"np.{kind}({self.place(x)[0]})" if kind else self.place(x)[0]
        own = self.shape(x)
        if len(own) > len(index):
            raise NoElements("an argument of more dimensions")
        index, shape = index[len(index) - len(own) :], shape[len(shape) - len(own) :]
        index = tuple(("0", 0) if size < whole else at for at, size, whole in zip(index, own, shape))
        if isinstance(x, Local) and x.position not in self.stored:
            if (x.position, index) not in nest.elements:  # or else it is looked at on every way that leads to it
                nest.elements[x.position, index] = self.computed(nest, self.loop.body[x.position], index)
            return nest.elements[x.position, index]
        name, at = self.place(x)
        rows = [plus(*each) for each in index[:-1]]
        if isinstance(x, Local) and name in nest.at_once and rows != nest.variables[:-1]:
            nest.other_rows = True
        return nest.load(name, [*at, *(plus(*each) for each in index)])

    def number(self, x: Any, kind: str) -> str:
        """Return the text of a number."""
        if type(x) in modules and not x.ndim:
            kind = x.dtype.name if x.dtype.kind == "f" else kind
            x = x.item()
        if type(x) is float or (type(x) is int and kind):
            return f"np.{kind or 'float64'}({x!r})" if abs(x) < host.inf else f'np.{kind or "float64"}(float("{x}"))'
        if type(x) in (int, bool):
            return repr(x)
        raise NoElements(f"an argument {type(x).__name__}")

    def computed(self, nest: Nest, equation: Equation, index: Index) -> str:
        """Return the text of one element of the value of an equation."""
        function = equation.function
        if function in MAKERS:
            return self.filled(equation, index)
        if function in VIEWS:
            return self.viewed(nest, equation, index)
        if function in OWN_MATH:
            self.program.dtype = self.program.dtype or equation.dtype.name
            if self.program.dtype != equation.dtype.name:
                raise NoElements(f"{function} in {equation.dtype.name}")
        values = [x for x in equation.args if not is_kind(x)]
        dtypes = [equation.dtype, *(self.dtype(x) for x in values if isinstance(x, VALUES))]
        kind = next((dtype.name for dtype in dtypes if dtype is not None and dtype.kind == "f"), "")
        parts = [self.element(nest, x, index, equation.shape, kind) for x in values]
        form = FORMS[function]
        if function == "power" and not isinstance(equation.args[1], VALUES):
            form = {2.0: "{0} * {0}", 0.5: "math.sqrt({0})"}.get(float(equation.args[1]), form)  # as NumPy does
        text = form.format(*parts)
        return nest.named(f"np.{kind_of(equation)}({text})" if function == "astype" else text)

    def filled(self, equation: Equation, index: Index) -> str:
        """Return the text of one element of zeros, ones, another number, or numbers that count."""
        if equation.function == "arange":
            if len([x for x in equation.args if not is_kind(x)]) > 1:
                raise NoElements("arange from a start")
            return plus(*index[0])
        value = {"zeros": 0, "ones": 1}.get(equation.function, equation.args[1] if len(equation.args) > 1 else None)
        kind = equation.dtype.name if equation.dtype.kind == "f" else ""
        if isinstance(value, VALUES):
            raise NoElements("full of a value")
        return self.number(value, kind) if kind else repr(equation.dtype.type(value).item())

    def viewed(self, nest: Nest, equation: Equation, index: Index) -> str:
        """Return the text of one element of a view."""
        function, x = equation.function, equation.args[0]
        shape = self.shape(x)
        if function == "broadcast_to" or function in ("ascontiguousarray", "copy"):
            return self.element(nest, x, index, equation.shape)
        if function == "transpose":
            order = equation.args[1]
            return self.element(nest, x, tuple(index[order.index(k)] for k in range(len(shape))), shape)
        if function == "reshape":
            if not self.same_sizes(shape, equation.shape):
                raise NoElements("reshape")
            left = [at for at, size in zip(index, equation.shape) if size != 1]
            return self.element(nest, x, tuple(("0", 0) if size == 1 else left.pop(0) for size in shape), shape)
        return self.element(nest, x, self.found(equation.args[1], index, shape), shape)

    def same_sizes(self, one: Shape, other: Shape) -> bool:
        """Tell whether two shapes are the same but for dimensions of size 1."""
        return [size for size in one if size != 1] == [size for size in other if size != 1]

    def found(self, asked: Any, index: Index, shape: Shape) -> Index:
        """Return where in x, of that shape, an element of x[a:b, c, None, ...] is, or of x[ids] for arrays of ids."""
        parts, left, found = spelled_out(asked, shape), list(index), []
        ids = [each for each in parts if isinstance(each, VALUES)]
        rank = max((len(self.shape(each)) for each in ids), default=0)
        beside = [k for k, each in enumerate(parts) if ids and isinstance(each, VALUES | int | Moving)]
        if any(self.dtype(each).kind not in "iu" for each in ids) or beside != [*range(len(parts))][spanned(beside)]:
            raise NoElements("this index")
        for k, each in enumerate(parts):
            if beside[:1] == [k]:
                of_ids, left = tuple(left[:rank]), left[rank:]
            if isinstance(each, VALUES):
                found.append((self.one_of(each, of_ids), 0))
            elif isinstance(each, int | Moving):
                found.append(("0", each) if isinstance(each, int) else (self.moving(each), 0))
            elif each is None:
                left.pop(0)
            elif isinstance(each, slice) and each.step in (None, 1):
                variable, offset = left.pop(0)
                found.append((variable, offset + each.start))
            elif isinstance(each, slice) and each.step == -1:
                variable, offset = left.pop(0)
                falling = variable[1:] if variable[0] == "-" else f"-{variable}"
                found.append((falling if variable != "0" else variable, each.start - offset))
            else:
                raise NoElements("this index")
        return (*found, *left)

    def one_of(self, ids: Any, index: Index) -> str:
        """Return the text of one element of an array of ids."""
        own = self.shape(ids)
        name, at = self.place(ids)
        index = tuple(("0", 0) if size == 1 else i for i, size in zip(index[len(index) - len(own) :], own))
        return indexed(name, [*at, *(plus(*each) for each in index)] or ["()"])

    # ------------------------------------------------------------------------------------------------ where arrays are

    def array(self, x: Any) -> str:
        """Return the name of an array from outside in the function."""
        if isinstance(x, Item):
            if self.program.along(x.numbers) is None:
                return self.gathered(x)
            return self.local(self.program.series[x.numbers[0]][0])
        return self.local(self.program.read(x.whole if isinstance(x, Part) else x)[0])

    def gathered(self, x: Item) -> str:
        """Return the name of a series that is put together of values from here and there."""
        if len({(self.program.shapes[n], self.program.dtypes[n]) for n in x.numbers}) > 1:
            raise NoElements("a series of several shapes")
        texts = [self.program.read(Ref(n))[0] for n in (x.numbers if self.by > 0 else x.numbers[::-1])]
        if not any(self.is_own(text) for text in texts):
            found: str = self.function.argument(f"xp.stack([{', '.join(texts)}])")
            return found
        if len(texts) > many:
            raise NoElements(f"a series of {len(texts)} pieces")
        key = " ".join(texts)
        if key not in self.outside:
            name = self.outside[key] = self.program.free_name("series")
            self.head.append(f"{name} = np.empty({(len(texts), *self.shape(x))}, np.{self.dtype(x).name})")
            for k, text in enumerate(texts):
                is_number = self.is_own(text) and not self.shape(x)
                self.head += filled(self.shape(x), name, [str(k)], text if is_number else self.local(text))
        return self.outside[key]

    def is_own(self, text: str) -> bool:
        """Tell whether a text names something that is made in the function."""
        return re.match(r"\w*", text)[0] in self.function.own  # type: ignore[index]

    def local(self, text: str) -> str:
        """Return the name in the function of what the program calls so: its own, or that of an argument."""
        if not self.is_own(text):
            found: str = self.function.argument(text)
            return found
        if text not in self.outside and not text.isidentifier():
            self.outside[text] = self.program.free_name("view")
            self.head.append(f"{self.outside[text]} = {text}")
        return self.outside.get(text, text)

    def slot(self, later: int = 0) -> str:
        """Return the text of where this step is in a series, or a later one."""
        return plus("t", later - min(self.start, self.start + self.by * (self.loop.count - 1)))

    def moving(self, x: Any) -> str:
        """Return the text of an int that moves."""
        if not isinstance(x, Moving):
            return repr(x)
        factor = x.step // self.by
        offset = x.start - factor * self.start
        if factor == -1:
            return f"{offset} - t"
        text = "t" if factor == 1 else f"{factor} * t"
        return text + (f" + {offset}" if offset > 0 else f" - {-offset}" if offset else "")

    def place(self, x: Any) -> tuple[str, list[str]]:
        """Return the array that holds a value, and where in it the value of this step is."""
        if isinstance(x, Ref):
            name, k = self.program.series.get(x.number, ("", 0))
            if self.shape(x) == () and name in self.program.arrays and x.number not in self.program.texts:
                return self.local(name), [str(k)]  # a part would be a number, which has no index
            return self.array(x), []
        if isinstance(x, Part):
            return self.array(x), [self.moving(x.at)]
        if isinstance(x, Item):
            along = self.program.along(x.numbers)
            return self.array(x), [self.slot() if along is None else self.moving(along)]
        name, up = self.names[x.position], int(self.by > 0)
        if isinstance(x, Carried):
            return name, [self.slot(1 - up)] if x.position in self.longer else []
        if x.position in self.next:
            return self.next[x.position], []
        return name, [self.slot(up * (x.position in self.longer))] if x.position in self.again else []


def spelled_out(asked: Any, shape: Shape) -> list[Any]:
    """Return an index with slices in place of `...`, all of it counted from the start."""
    parts = [*asked] if isinstance(asked, tuple) else [asked]
    if Ellipsis in parts:
        k = parts.index(Ellipsis)
        parts[k : k + 1] = [slice(None)] * (len(shape) + 1 - len(parts) + parts.count(None))
    sizes = iter(shape)
    return [each if each is None else counted(each, next(sizes)) for each in parts]


def counted(x: Any, size: int) -> Any:
    """Return a part of an index, counted from the start."""
    if isinstance(x, slice):
        return slice(x.indices(size)[0], None, x.step)
    return x % size if type(x) is int else x


def spanned(places: list[int]) -> slice:
    """Return the slice from the first of some places to the last."""
    return slice(places[0], places[-1] + 1) if places else slice(0)
